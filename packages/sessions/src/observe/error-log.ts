import { AuthorError, SessionError } from '../errors.js';
import type { Logger } from './logger.js';

/** The functions that log errors. */
export interface ErrorLog {
  /** Logs an internal error, or a failure that no request waits for. */
  readonly onError: (error: unknown) => void;
  /** Logs an error of the MCP SDK, mostly a client's mistake that is answered with an error. */
  readonly onProtocolError: (error: unknown) => void;
}

/** Logs errors without their texts, which can contain data of users. */
export function errorLog(logger: Logger): ErrorLog {
  return {
    onError: (error) => logger.error({ err: withoutDetails(error) }, 'internal error'),
    onProtocolError: (error) => logger.debug({ err: withoutDetails(error) }, 'protocol error'),
  };
}

/** The parts of an error that may be logged. Messages of other libraries can contain their input. */
function withoutDetails(error: unknown): { name: string; message?: string; code?: unknown; stack?: string } {
  if (!(error instanceof Error)) return { name: typeof error };
  const frames = error.stack
    ?.split('\n')
    .filter((line) => line.startsWith('    at '))
    .join('\n');
  // Messages about the configuration are for the operator and contain no data of users.
  const isConfiguration = error instanceof SessionError && error.code === 'configuration';
  if (isConfiguration || error instanceof AuthorError) return { name: error.name, message: error.message };
  return { name: error.name, ...('code' in error && { code: error.code }), ...(frames && { stack: frames }) };
}

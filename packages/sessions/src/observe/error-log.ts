import { AuthorError, SessionError } from '../errors.js';
import type { Logger } from './logger.js';

/** Where what went wrong is reported. */
export interface ErrorLog {
  /** A mistake of ours, or a failure that nobody is waiting to hear of. */
  readonly onError: (error: unknown) => void;
  /** What the MCP SDK reports: mostly what clients did wrong, each of which is answered. */
  readonly onProtocolError: (error: unknown) => void;
}

/** Writes errors to a logger, without what they may quote. */
export function errorLog(logger: Logger): ErrorLog {
  return {
    onError: (error) => logger.error({ err: withoutDetails(error) }, 'internal error'),
    onProtocolError: (error) => logger.debug({ err: withoutDetails(error) }, 'protocol error'),
  };
}

/** What may be logged of an error: messages of other libraries can quote what they were given. */
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

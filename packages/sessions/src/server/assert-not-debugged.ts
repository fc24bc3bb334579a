import { url as inspectorUrl } from 'node:inspector';
import { debuglog } from 'node:util';
import { SessionError } from '../errors.js';
import type { Logger } from '../observe/logger.js';
import { givenNodeOptions, type NodeOptionSources } from './node-options.js';

/**
 * Options of Node and V8 that expose the process's memory or traffic, or write it to a file. Profiles (`--cpu-prof`,
 * `--prof`) and coverage are not among them: they were measured and contain no token.
 */
const EXPOSING_OPTIONS =
  /^--?(?:inspect(?:-brk|-brk-node|-wait)?|heap-?snapshot-.*|heap-prof|build-snapshot|report-(?:on-.*|uncaught-exception)|tls-keylog|trace-tls|trace-event(?:s|-categories).*|trace|abort-on-uncaught-exception|unreadable-config-file)$/;
/** Parts of Node that print requests, addresses or arguments when `NODE_DEBUG` names them. */
const EXPOSING_MODULES = [
  'http',
  'https',
  'http2',
  'undici',
  'fetch',
  'websocket',
  'tls',
  'net',
  'stream',
  'child_process',
];

/** The settings of a process that can expose its memory or traffic. */
export interface ProcessSettings extends NodeOptionSources {
  /** Whether an inspector is listening. */
  readonly isInspected: boolean;
  /** Whether Node writes diagnostic reports, which contain the environment. */
  readonly writesReports: boolean;
  /** The value of `SSLKEYLOGFILE`: the file that some runtimes append TLS keys to. */
  readonly keyLogFile: string;
  /** Whether `NODE_DEBUG` enables a module. */
  readonly isPrinted: (module: string) => boolean;
}

/** The settings of this process. Runtimes other than Node lack some of them. */
function currentProcessSettings(): ProcessSettings {
  const report: Partial<NodeJS.ProcessReport> = process.report ?? {};
  return {
    execArgv: process.execArgv,
    nodeOptions: process.env.NODE_OPTIONS ?? '',
    isInspected: inspectorUrl() !== undefined,
    writesReports: Boolean(
      report.reportOnSignal || report.reportOnFatalError || report.reportOnUncaughtException,
    ),
    keyLogFile: process.env.SSLKEYLOGFILE ?? '',
    isPrinted: (module) => debuglog(module).enabled,
  };
}

/** The setting that exposes this process's memory or traffic; `undefined` if there is none. */
export function debuggingReason(settings: ProcessSettings): string | undefined {
  const option = givenNodeOptions(settings).find((given) => {
    const [name = ''] = given.split('=', 1);
    return EXPOSING_OPTIONS.test(name);
  });
  if (option !== undefined) return option;
  const module = EXPOSING_MODULES.find(settings.isPrinted);
  if (module !== undefined) return `NODE_DEBUG=${module}`;
  if (settings.isInspected) return 'an attached inspector';
  if (settings.writesReports) return 'diagnostic reports';
  return settings.keyLogFile ? 'SSLKEYLOGFILE' : undefined;
}

/** Whether this process has emitted the warning: without a logger, it is emitted once. */
let hasWarned = false;

/**
 * Checks whether a setting exposes this process's memory or traffic, and with it users' tokens.
 * @param allowed `true`: no warning; `undefined`: a warning; `false`: an error
 * @throws SessionError `configuration`, naming the setting, if `allowed` is `false`
 */
export function assertNotDebugged(allowed: boolean | undefined, logger: Logger | undefined): void {
  if (allowed) return;
  const reason = debuggingReason(currentProcessSettings());
  if (reason === undefined) return;
  const finding = `With ${reason}, users' tokens can be read from this process.`;
  if (allowed === false) {
    throw new SessionError(
      'configuration',
      `${finding} Start the process without it, or allow debugging (\`allowDebugging: true\`, \`--allow-debugging\`).`,
    );
  }
  const warning = `${finding} Use test accounts only. \`allowDebugging: true\` silences this warning, \`false\` refuses to start.`;
  if (logger) logger.warn({}, warning);
  else if (!hasWarned) process.emitWarning(warning, { code: 'MCP_SESSIONS_DEBUGGING' });
  hasWarned ||= !logger;
}

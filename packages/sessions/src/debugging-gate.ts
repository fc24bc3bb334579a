import { url as inspectorUrl } from 'node:inspector';
import { SessionError } from './errors.js';

/** Command line options of Node that open the process's memory, or write it to a file. */
const TELLTALE_OPTIONS = [
  '--inspect',
  '--heapsnapshot',
  '--heap-prof',
  '--report-on',
  '--trace-tls',
  '--tls-keylog',
];
/** Parts of Node that print requests, headers included, when `NODE_DEBUG` names them. */
const TELLTALE_MODULES = ['http', 'https', 'http2', 'undici', 'fetch', 'tls', 'net', 'stream'];

/** What a process was started with. */
export interface ProcessSettings {
  readonly options: readonly string[];
  readonly nodeDebug: string;
  readonly isInspected: boolean;
}

/** The settings of this process. */
export function currentProcessSettings(): ProcessSettings {
  return {
    options: [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/)],
    nodeDebug: process.env.NODE_DEBUG ?? '',
    isInspected: inspectorUrl() !== undefined,
  };
}

/**
 * Refuses to keep tokens in a process whose memory or traffic is being shown or written down.
 * @throws SessionError `configuration`, naming what does it.
 */
export function assertNotDebugged(settings: ProcessSettings): void {
  const option = settings.options.find((given) =>
    TELLTALE_OPTIONS.some((telltale) => given.startsWith(telltale)),
  );
  const modules = settings.nodeDebug.toLowerCase().split(/[\s,]+/);
  const module = modules.find((name) => name === '*' || TELLTALE_MODULES.includes(name));
  const reason =
    option ??
    (module && `NODE_DEBUG=${module}`) ??
    (settings.isInspected ? 'an attached inspector' : undefined);
  if (reason === undefined) return;
  throw new SessionError(
    'configuration',
    `With ${reason}, users' tokens can be read out of this process. Start it without, or allow debugging by name.`,
  );
}

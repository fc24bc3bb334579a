import type { ErrorLog } from '../observe/error-log.js';
import type { Logger } from '../observe/logger.js';
import type { SessionStore } from '../session/session-store.js';
import type { Runtime } from './options.js';

/** What the composers use besides the settings. */
export interface Surroundings extends Runtime, ErrorLog {
  readonly store: SessionStore;
  readonly logger: Logger;
}

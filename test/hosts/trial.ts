import type { Report } from './report.js';
import type { Candidate } from './running-host.js';
import type { Access, Stage } from './stage.js';

/** One host in one access mode. */
export interface Trial {
  readonly candidate: Candidate;
  readonly stage: Stage;
  readonly access: Access;
  readonly report: Report;
  /** How long the long call takes. */
  readonly longSeconds: number;
}

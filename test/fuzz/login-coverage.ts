import { codeIn, hasRun, isLoggedIn } from './answer-reading.js';
import type { Blueprint } from './blueprint.js';
import { BY_CODE } from './canaries.js';
import type { Answer } from './client.js';

/**
 * The stages of a login, and how many of 1000 requests have to reach them: a third of the usual number, because the
 * order of requests differs between runs.
 */
const MARKS = {
  'callbacks that went well': 6,
  'code pages': 2,
  'logins finished': 5,
  'further rounds answered': 4,
  'parked calls that ran': 1,
  'device logins finished': 1,
} as const satisfies Record<string, number>;
export type Mark = keyof typeof MARKS;

/** Counts the requests that reached each stage of a login. */
export class LoginCoverage {
  readonly #counts = new Map<Mark, number>();
  #requests = 0;

  add(request: Blueprint, answer: Answer): void {
    this.#requests++;
    for (const mark of marksOf(request, answer)) this.#counts.set(mark, (this.#counts.get(mark) ?? 0) + 1);
  }

  /** The stages that too few requests reached. */
  get missing(): string[] {
    return Object.entries(MARKS).flatMap(([mark, perThousand]) => {
      const count = this.#counts.get(mark as Mark) ?? 0;
      const least = Math.max(1, Math.floor((perThousand * this.#requests) / 1000));
      return count < least ? [`${mark}: ${count} of at least ${least}`] : [];
    });
  }

  toString(): string {
    return Object.keys(MARKS)
      .map((mark) => `${mark}: ${this.#counts.get(mark as Mark) ?? 0}`)
      .join(', ');
  }
}

function marksOf({ kind }: Blueprint, { status, headers, text, end }: Answer): Mark[] {
  const marks: Mark[] = [];
  const location = headers.location ?? '';
  if (status === 303 && (location.endsWith('/login/done') || location.endsWith('/code')))
    marks.push('callbacks that went well');
  if (status !== 200 || end !== 'complete') return marks;
  if (codeIn(text) !== undefined) marks.push('code pages');
  if (kind === 'login: come back' && !text.includes('requestState is invalid'))
    marks.push('further rounds answered');
  if (hasRun(text)) marks.push('parked calls that ran');
  if (!kind.startsWith('login: ') || !isLoggedIn(text)) return marks;
  marks.push('logins finished');
  if (text.includes(BY_CODE)) marks.push('device logins finished');
  return marks;
}

import { textTable } from '../hygiene/text-table.js';
import type { Blueprint } from './blueprint.js';
import type { Answer } from './client.js';
import { passedGuards } from './rules.js';

/** Counts responses by the kind of request and by status. */
export class Histogram {
  readonly #counts = new Map<string, Map<string, number>>();
  #requests = 0;
  #passed = 0;
  #successful = 0;

  add({ kind }: Blueprint, answer: Answer): void {
    const outcome = answer.status === 0 ? answer.end : `${answer.status}`;
    const ofKind = this.#counts.get(kind) ?? new Map<string, number>();
    this.#counts.set(kind, ofKind.set(outcome, (ofKind.get(outcome) ?? 0) + 1));
    this.#requests++;
    if (passedGuards(answer)) this.#passed++;
    if (answer.status >= 200 && answer.status < 300) this.#successful++;
  }

  get passedShare(): number {
    return this.#passed / this.#requests;
  }

  get successfulShare(): number {
    return this.#successful / this.#requests;
  }

  /** A row for each kind, a column for each status. */
  toString(): string {
    const outcomes = [...new Set([...this.#counts.values()].flatMap((counts) => [...counts.keys()]))].sort();
    const rows = [...this.#counts]
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([kind, counts]) => [kind, ...outcomes.map((each) => counts.get(each) ?? 0)] as const);
    const totals = outcomes.map((_, column) => {
      return rows.reduce((sum, [, ...counts]) => sum + (counts[column] ?? 0), 0);
    });
    const lines = [...rows, ['all', ...totals] as const].map(([kind, ...counts]) => {
      const sum = counts.reduce((total, count) => total + count, 0);
      return [kind, ...counts.map((count) => (count === 0 ? '·' : `${count}`)), `${sum}`];
    });
    return textTable([['', ...outcomes, 'sum'], ...lines]);
  }
}

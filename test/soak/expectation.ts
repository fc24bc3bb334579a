/** An expectation as text, and whether it is met. */
export type Expectation = readonly [what: string, holds: boolean];

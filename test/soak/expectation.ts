/** What has to hold, in words, and whether it does. */
export type Expectation = readonly [what: string, holds: boolean];

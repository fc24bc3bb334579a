import type { Scenario, SuiteRun } from './suite.js';

/** The result of a revision: the report, and whether the server conforms. */
export interface Verdict {
  readonly lines: readonly string[];
  readonly conforms: boolean;
}

/**
 * Evaluates a run. All scenarios must pass, scored or not. Only extensions of the protocol may fail, because servers
 * need not have any. The `demanded` scenarios must have run, scored or not.
 */
export function judge(revision: string, run: SuiteRun, demanded: readonly string[]): Verdict {
  const { scenarios, announced, exitCode } = run;
  const scored = scenarios.filter(({ unscoredBecause }) => unscoredBecause === undefined);
  const unscored = scenarios.filter(({ unscoredBecause }) => unscoredBecause !== undefined);
  const tolerated = (scenario: Scenario) =>
    scenario.unscoredBecause === 'extension' && !demanded.includes(scenario.name);
  const failed = scenarios.filter((scenario) => !passed(scenario));
  const named = demanded.map((name) => scenarios.find((scenario) => scenario.name === name));
  const objections = [
    ...(scored.length === 0 ? ['the suite scored nothing'] : []),
    ...(scenarios.length === announced
      ? []
      : [`${announced} scenarios announced, ${scenarios.length} shown`]),
    ...(exitCode === 0 ? [] : [`the suite itself ended with exit code ${exitCode}`]),
    ...demanded.filter((_, i) => named[i] === undefined).map((name) => `${name} was not run`),
    ...failed.filter((scenario) => !tolerated(scenario)).map(({ name }) => `${name} did not pass`),
  ];
  return {
    lines: [
      `${revision}, scored: ${tally(scored)}`,
      `  besides, not scored: ${tally(unscored)}`,
      ...named.flatMap((scenario) => (scenario ? [`  by name: ${describe(scenario)}`] : [])),
      ...unscored
        .filter((scenario) => passed(scenario) && !demanded.includes(scenario.name))
        .map((scenario) => `  ${describe(scenario)}`),
      ...failed.flatMap((scenario) => [
        `  ${describe(scenario)}${tolerated(scenario) ? '' : ', and is required'}`,
        ...(tolerated(scenario) ? [] : scenario.complaints.map((complaint) => `      ${complaint}`)),
      ]),
      ...scenarios
        .filter(passed)
        .flatMap(({ name, complaints }) => complaints.map((complaint) => `  ${name}: ${complaint}`)),
      ...objections.map((objection) => `  Does not conform: ${objection}.`),
    ],
    conforms: objections.length === 0,
  };
}

/** A scenario without checks does not count. */
function passed({ passes, failures }: Scenario): boolean {
  return failures === 0 && passes > 0;
}

function tally(scenarios: readonly Scenario[]): string {
  const good = scenarios.filter(passed).length;
  return `${scenarios.length} scenarios, ${good} passed, ${scenarios.length - good} failed`;
}

function describe(scenario: Scenario): string {
  const { name, passes, failures, unscoredBecause } = scenario;
  const checks =
    passes + failures === 0 ? 'no check passed or failed' : `checks: ${passes} passed, ${failures} failed`;
  const reason = unscoredBecause === undefined ? 'scored' : `not scored: ${unscoredBecause}`;
  return `${passed(scenario) ? '✓' : '✗'} ${name} (${reason}), ${checks}`;
}

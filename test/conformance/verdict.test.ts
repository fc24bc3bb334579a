import { describe, expect, it } from 'vitest';
import type { Scenario, SuiteRun } from './suite.js';
import { judge } from './verdict.js';

const good: Scenario = { name: 'ping', passes: 2, failures: 0, unscoredBecause: undefined, complaints: [] };
const extension: Scenario = { ...good, name: 'tasks', failures: 1, unscoredBecause: 'extension' };

function verdictOn(scenarios: readonly Scenario[], run: Partial<SuiteRun> = {}, demanded: string[] = []) {
  const announced = scenarios.length;
  const { conforms, lines } = judge(
    '2025-11-25',
    { scenarios, announced, exitCode: 0, output: '', ...run },
    demanded,
  );
  return { conforms, text: lines.join('\n') };
}

describe('a server conforms', () => {
  it('if only an extension of the protocol failed, which the report names', () => {
    const { conforms, text } = verdictOn([good, extension]);
    expect(conforms).toBe(true);
    expect(text).toContain('scored: 1 scenarios, 1 passed, 0 failed');
    expect(text).toContain('✗ tasks (not scored: extension)');
  });

  it('with a warning, which the report shows', () => {
    const { conforms, text } = verdictOn([{ ...good, complaints: ['WARNING Slow: it is slow'] }]);
    expect(conforms).toBe(true);
    expect(text).toContain('ping: WARNING Slow: it is slow');
  });
});

describe('a server does not conform', () => {
  it.each<[string, Partial<Scenario>]>([
    ['a scored scenario failed', { failures: 1 }],
    ['a scored scenario showed nothing', { passes: 0 }],
    ['a pending scenario failed', { failures: 1, unscoredBecause: 'pending' }],
    ['a scenario added later failed', { failures: 1, unscoredBecause: 'added-after-release' }],
  ])('where %s, which is named with its checks', (_, difference) => {
    const bad = { ...good, name: 'bad', complaints: ['FAILURE Broken: it is'], ...difference };
    const { conforms, text } = verdictOn([good, bad]);
    expect(conforms).toBe(false);
    expect(text).toContain('bad did not pass');
    expect(text).toContain('FAILURE Broken: it is');
  });

  it.each<[string, string, { scenarios: readonly Scenario[]; run?: Partial<SuiteRun>; demanded?: string[] }]>(
    [
      ['a demanded scenario was not run', 'tasks was not run', { scenarios: [good], demanded: ['tasks'] }],
      [
        'a demanded extension failed',
        'tasks did not pass',
        { scenarios: [good, extension], demanded: ['tasks'] },
      ],
      ['nothing was scored', 'scored nothing', { scenarios: [extension] }],
      ['nothing was shown', '30 scenarios announced, 0 shown', { scenarios: [], run: { announced: 30 } }],
      ['not all was shown', '2 scenarios announced, 1 shown', { scenarios: [good], run: { announced: 2 } }],
      ['the suite says so', 'exit code 1', { scenarios: [good], run: { exitCode: 1 } }],
      ['the suite was ended', 'exit code null', { scenarios: [good], run: { exitCode: null } }],
    ],
  )('where %s: %s', (_, objection, { scenarios, run, demanded }) => {
    const { conforms, text } = verdictOn(scenarios, run, demanded);
    expect(conforms).toBe(false);
    expect(text).toContain(objection);
  });
});

import { parseArgs } from 'node:util';
import { simulate } from './simulate.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    seed: { type: 'string' },
    nodes: { type: 'string', default: '1' },
    redis: { type: 'boolean', default: false },
  },
});
const engine = values.redis ? 'redis' : 'stores';
const first = Number(values.seed ?? 1);
const count = values.seed === undefined ? Number(values.seeds) : 1;

let failed = 0;
let sessions = 0;
let steps = 0;
for (let seed = first; seed < first + count; seed++) {
  const report = await simulate(seed, {}, { nodes: Number(values.nodes), engine });
  sessions += report.sessions;
  steps += report.steps;
  const line = `seed ${seed}: ${report.sessions} sessions, ${report.steps} steps, ${report.events} events, trace ${report.trace}`;
  if (!report.violation) {
    console.log(line);
    continue;
  }
  failed++;
  console.log(`${line}\n  FAILED at step ${report.violatedAtStep ?? 'the end'}: ${report.violation.message}`);
  console.log(
    `  Again: npm run simulate -- --nodes ${values.nodes}${values.redis ? ' --redis' : ''} --seed ${seed}`,
  );
}
console.log(
  `\n${count} seeds, ${sessions} sessions, ${steps} steps: ${failed === 0 ? 'all held' : `${failed} FAILED`}`,
);
process.exitCode = failed === 0 ? 0 : 1;

// Preloaded into the process under test, with `--expose-gc`. On SIGUSR2 it collects garbage and writes the memory
// in use and the number of open connections as a line of JSON to stderr.
import { setTimeout as sleep } from 'node:timers/promises';

process.on('SIGUSR2', async () => {
  for (let round = 0; round < 4; round++) {
    globalThis.gc();
    await sleep(20);
  }
  const { heapUsed, external } = process.memoryUsage();
  const connections = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  process.stderr.write(`${JSON.stringify({ event: 'memory', bytes: heapUsed + external, connections })}\n`);
});

import { describe } from 'vitest';
import { isInstalled } from '../../support/installed-program.js';
import { REDIS } from '../../support/redis-server.js';
import { NODES } from '../../support/shared-sessions.js';

process.env[NODES] = '2';

/** Each request of a client, and of its browser, comes to the next server: a trace spans both. */
describe.skipIf(!isInstalled(REDIS))('with two servers that share their sessions', async () => {
  await import('../telemetry.test.js');
});

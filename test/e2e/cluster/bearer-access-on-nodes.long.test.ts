import { describe } from 'vitest';
import { isInstalled } from '../../support/installed-program.js';
import { REDIS } from '../../support/redis-server.js';
import { NODES } from '../../support/shared-sessions.js';

process.env[NODES] = '3';

/** The end-to-end tests of bearer access and of operators, with three servers behind a load balancer. */
describe.skipIf(!isInstalled(REDIS))('with three servers that share their sessions', async () => {
  await import('../bearer-access.test.js');
  await import('../device-flow.test.js');
  await import('../devices.test.js');
  await import('../operator-sign-out.test.js');
  await import('../phishing.test.js');
  await import('../session-ownership.test.js');
  await import('../status-resource.test.js');
});

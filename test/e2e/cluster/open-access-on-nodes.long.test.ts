import { describe } from 'vitest';
import { isInstalled } from '../../support/installed-program.js';
import { REDIS } from '../../support/redis-server.js';
import { NODES } from '../../support/shared-sessions.js';

process.env[NODES] = '3';

/** The end-to-end tests of logins in open access, with three servers behind a load balancer. */
describe.skipIf(!isInstalled(REDIS))('with three servers that share their sessions', async () => {
  await import('../clients-without-elicitation.test.js');
  await import('../confirmation-code.test.js');
  await import('../elicitation.test.js');
  await import('../headers-2026.test.js');
  await import('../isolation.test.js');
  await import('../login-flows.test.js');
  await import('../open-access.test.js');
  await import('../parked-calls.test.js');
  await import('../refresh.test.js');
});

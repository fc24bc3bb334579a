import { afterEach, expect, it } from 'vitest';
import { registerTelemetrySdk } from '../../../../test/support/telemetry-sdk.js';
import type { SessionRef } from '../session/ids.js';
import { blankRecord } from '../session/session-record.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { systemClock } from '../time/clock.js';
import { SessionMetrics } from './session-metrics.js';

const sdk = registerTelemetrySdk();
afterEach(() => sdk.unregister());

it('a handle that waits for a login ends as the handle that it began as', async () => {
  const telemetry = Telemetry.registered(systemClock);
  if (!telemetry) throw new Error('No SDK is registered.');
  const metrics = new SessionMetrics(telemetry);
  // The brand is given in the library only; here any text will do.
  const handle = blankRecord('session' as SessionRef, 'handle', 'owner', 0);
  metrics.handleEvent({ ...handle, type: 'session.started' });
  // Another user begins to log in with the handle.
  metrics.ended({ ...handle, kind: 'pending-handle' }, 'idle');
  const sessions = (await sdk.points()).filter(({ metric }) => metric === 'mcp_sessions.sessions');
  expect(sessions.map(({ value }) => value)).toEqual([0]);
});

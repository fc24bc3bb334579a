import { afterAll, describe, expect, it } from 'vitest';
import { engineNodes } from '../../../../test/support/engine-nodes.js';
import { registerTelemetrySdk } from '../../../../test/support/telemetry-sdk.js';
import { storeUnavailable } from '../errors.js';
import type { SessionRef } from '../session/ids.js';
import { blankRecord } from '../session/session-record.js';
import { createMapPorts, type PortsOptions } from '../store/ports.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { Deadlines } from '../time/deadlines.js';
import { measuredPorts } from './measured-ports.js';

const sdk = registerTelemetrySdk();
afterAll(() => sdk.unregister());

// The brand is given in the library only; here any text will do.
const REF = 'session' as SessionRef;
const LIMITS = { maxSessions: 10, maxAnonymous: 10 };

function setUp() {
  const { clock, nodes } = engineNodes(1, { delayMs: 20 });
  const [{ ports }] = nodes;
  const options: PortsOptions = {
    clock,
    deadlines: new Deadlines(clock, () => undefined),
    isPresent: () => false,
  };
  return { clock, ports, options, telemetry: Telemetry.registered(clock) };
}

describe('the stores of an engine', () => {
  it('answer as before, and each call has a span and a duration', async () => {
    const { clock, ports, options, telemetry } = setUp();
    const { sessions } = measuredPorts(telemetry, () => ports)(options);
    const record = blankRecord(REF, 'handle', 'owner', 0);
    const inserting = sessions.insert(record, LIMITS);
    await clock.advance(1000);
    expect(await inserting).toMatchObject({ kind: 'inserted' });
    const reading = ports.sessions.get(REF);
    await clock.advance(1000);
    expect(await reading).toEqual(record);
    const points = await sdk.points();
    expect(points).toEqual([
      {
        metric: 'mcp_sessions.engine.operation.duration',
        attributes: { 'mcp_sessions.engine.operation': 'sessions.insert' },
        value: 1,
      },
    ]);
    const [span] = sdk.spans();
    expect(span).toMatchObject({ name: 'mcp_sessions.engine', attributes: points[0]?.attributes });
  });

  it('throw what they threw before, with the code as the type of the error', async () => {
    const { ports, options, telemetry } = setUp();
    const error = storeUnavailable(new Error('canary'));
    const failing = {
      ...ports,
      sessions: Object.assign(Object.create(ports.sessions), { get: () => Promise.reject(error) }),
    };
    const { sessions } = measuredPorts(telemetry, () => failing)(options);
    await expect(sessions.get(REF)).rejects.toBe(error);
    const points = await sdk.points();
    expect(points.at(-1)?.attributes).toEqual({
      'mcp_sessions.engine.operation': 'sessions.get',
      'error.type': 'store_unavailable',
    });
    expect(JSON.stringify(sdk.spans().at(-1)?.events)).not.toContain('canary');
  });
});

it('stores of this process, and those without an SDK, are not measured', () => {
  const { ports, options, telemetry } = setUp();
  const own = createMapPorts(options);
  expect(measuredPorts(telemetry, () => own)(options)).toBe(own);
  expect(measuredPorts(undefined, () => ports)(options)).toBe(ports);
});

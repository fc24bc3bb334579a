import { describe, expect, it } from 'vitest';
import { request2026 } from '../../../../../test/support/raw-mcp.js';
import { MAX_KNOWN_ENVELOPE_CHARACTERS, MAX_KNOWN_ENVELOPES, PlainCalls } from './plain-call.js';

const INFO = 'io.modelcontextprotocol/clientInfo';

function read(calls: PlainCalls, clientInfo: unknown) {
  const { headers, body } = request2026('tools/call', { name: 'act' }, { meta: { [INFO]: clientInfo } });
  return calls.read({ body: JSON.parse(body ?? ''), headers: new Headers(headers) });
}

describe('the client information of plain calls', () => {
  it('is accepted as the SDK accepts it, also if another one was accepted before', () => {
    const calls = new PlainCalls();
    const valid = { name: 'a', version: '1' };
    expect(read(calls, null)).toBe(undefined);
    expect(read(calls, valid)).toMatchObject({ name: 'act', envelope: { [INFO]: valid } });
    expect(read(calls, null)).toBe(undefined);
    expect(read(calls, { name: 'a' })).toBe(undefined);
    expect(read(calls, valid)).toBeDefined();
    expect(read(calls, undefined)).toMatchObject({ name: 'act' });
  });

  it('is remembered up to a limit, and not at all if it is longer [security 40]', () => {
    const calls = new PlainCalls();
    for (let count = 0; count < 3 * MAX_KNOWN_ENVELOPES; count++) {
      expect(read(calls, { name: `client ${count}`, version: '1' })).toBeDefined();
      expect(calls.size).toBeLessThanOrEqual(MAX_KNOWN_ENVELOPES);
    }
    const { size } = calls;
    expect(read(calls, { name: 'a'.repeat(MAX_KNOWN_ENVELOPE_CHARACTERS), version: '1' })).toBe(undefined);
    expect(calls.size).toBe(size);
  });
});

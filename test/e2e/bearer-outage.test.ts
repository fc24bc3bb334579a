import { expect, it, onTestFinished } from 'vitest';
import { createSessions, type SessionEvent } from '../../packages/sessions/src/index.js';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { ISSUER, startTokenIssuer } from '../support/token-issuer.js';

it('requests the keys of an issuer that is down once in two seconds, and accepts tokens after that [security 40]', async () => {
  const tokens = startTokenIssuer();
  const clock = new VirtualClock();
  let isDown = true;
  let requests = 0;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    if (new URL(String(input)).pathname !== '/jwks') return tokens.fetch(input, init);
    requests++;
    return isDown ? new Response(null, { status: 502 }) : tokens.fetch(input, init);
  };
  const sessions = createSessions({
    server: { name: 'notes', version: '1.0.0' },
    publicUrl: 'http://127.0.0.1:3000',
    providers: { issuer: 'https://id.test', clientId: 'client' },
    access: { issuer: ISSUER },
    runtime: { fetch, clock },
    tools: () => undefined,
  });
  onTestFinished(() => sessions.close({ drainMs: 0 }));
  const failures: SessionEvent[] = [];
  sessions.onEvent((event) => {
    if (event.type === 'provider.failed') failures.push(event);
  });
  const statusOf = async (user: string) => {
    const authorization = `Bearer ${tokens.tokenOf(user)}`;
    const request = new Request('http://127.0.0.1:3000/mcp', {
      method: 'DELETE',
      headers: { authorization },
    });
    return (await sessions.handleRequest(request)).status;
  };
  const burst = (from: number) =>
    Promise.all(Array.from({ length: 20 }, (_, at) => statusOf(`u-${from + at}`)));

  for (let round = 0; round < 5; round++) expect(new Set(await burst(20 * round))).toEqual(new Set([503]));
  expect(requests).toBe(1);
  expect(failures).toMatchObject([
    {
      provider: 'clients.test',
      step: 'keys',
      reason: 'provider_busy',
      status: 502,
      endpoint: `${ISSUER}/jwks`,
    },
  ]);

  isDown = false;
  await clock.advance(2000);
  const [status, ...others] = new Set(await burst(0));
  expect([status, others]).toEqual([400, []]);
  expect([requests, failures.length]).toEqual([2, 1]);
});

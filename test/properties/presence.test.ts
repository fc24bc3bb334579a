import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { StreamCloser } from '../../packages/sessions/src/session/presence.js';
import { SessionBench } from '../support/session-bench.js';

const SECOND_MS = 1000;
const IDLE_MS = 60 * SECOND_MS;
const GRACE_MS = 10 * SECOND_MS;

type Step =
  | { readonly kind: 'open'; readonly what: 'stream' | 'request' }
  | { readonly kind: 'close'; readonly which: number; readonly by: StreamCloser }
  | { readonly kind: 'touch' }
  | { readonly kind: 'pass'; readonly durationMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('open' as const),
    what: fc.constantFrom('stream' as const, 'request' as const),
  }),
  fc.record({
    kind: fc.constant('close' as const),
    which: fc.nat(3),
    by: fc.constantFrom('client' as const, 'server' as const),
  }),
  fc.record({ kind: fc.constant('touch' as const) }),
  fc.record({ kind: fc.constant('pass' as const), durationMs: fc.nat(2 * IDLE_MS) }),
);

it('a login is never wiped for absence while its client has a stream or a request open, and always after it [security 34, 36]', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const bench = new SessionBench({ lifetimes: { idleMs: IDLE_MS, disconnectGraceMs: GRACE_MS } });
      const { record } = await bench.loggedIn('alice');
      const open: ((by: StreamCloser) => void)[] = [];
      const isSignedOut = () => bench.eventsOf('session.signed_out').length > 0;
      for (const each of steps) {
        const wasSignedOut = isSignedOut();
        if (each.kind === 'open' && each.what === 'stream')
          open.push(bench.registry.streamOpened(record.ref));
        if (each.kind === 'open' && each.what === 'request')
          open.push(bench.registry.requestBegan(record.ref));
        if (each.kind === 'close') for (const close of open.splice(each.which, 1)) close(each.by);
        if (each.kind === 'touch') await bench.registry.touch(record.ref);
        if (each.kind === 'pass') await bench.clock.advance(each.durationMs);
        if (open.length > 0) expect(isSignedOut()).toBe(wasSignedOut);
        if (isSignedOut()) return;
      }
      for (const close of open) close('server');
      await bench.clock.advance(IDLE_MS + SECOND_MS);
      expect(bench.eventsOf('session.signed_out')).toHaveLength(1);
    }),
    { numRuns: 300 },
  );
});

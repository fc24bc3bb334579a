/** A server with the built library, whose random numbers the parent can reproduce. */
import { writeHeapSnapshot } from 'node:v8';
import { createSessions } from 'mcp-sessions';
import { z } from 'zod';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { answerParent, collectGarbage } from '../support/answer-parent.js';
import { CONTROL_PURPOSE, PROVIDER } from './names.js';
import { ReplayableRandom } from './replayable-random.js';
import { SCOPES, upstreamSchema } from './upstream.js';

const startSchema = z.object({
  upstream: upstreamSchema,
  seed: z.string(),
  controlSeed: z.string(),
  controls: z.number(),
});

const controlKeys: Buffer[] = [];
let random: ReplayableRandom | undefined;

answerParent({
  async start(argument) {
    const { upstream, seed, controlSeed, controls } = startSchema.parse(argument);
    random = new ReplayableRandom(seed);
    const { issuer, clientId, clientSecret, resource } = upstream;
    const sessions = createSessions({
      server: { name: 'hygiene', version: '0.0.0' },
      tools: () => undefined,
      providers: {
        name: PROVIDER,
        issuer,
        clientId,
        clientSecret,
        scopes: SCOPES,
        authorizationParams: { resource },
      },
      runtime: { random: random.bytes },
    });
    // Derived like the keys of the library, and never wiped.
    const hierarchy = new KeyHierarchy(new ReplayableRandom(controlSeed).bytes(32));
    for (let index = 0; index < controls; index++) {
      controlKeys.push(hierarchy.derive('tokens', CONTROL_PURPOSE, index));
    }
    const { url } = await sessions.listen({ port: 0 });
    return url;
  },
  draws: () => random?.sizes,
  idle: collectGarbage,
  snapshot(path) {
    writeHeapSnapshot(z.string().parse(path));
  },
});

/** Attackers of different addresses, in their own process, so that they do not use the CPU of the measured client. */
import { z } from 'zod';
import { answerParent } from '../../test/support/answer-parent.js';
import { ATTACKS, type Attack } from './attacks.js';

const startSchema = z.object({ mcp: z.string(), attack: z.string() });

let attack: Attack | undefined;
let isAttacking = false;
let attacking: Promise<unknown> | undefined;
let acts = 0;

answerParent({
  async start(argument) {
    const { mcp, attack: name } = startSchema.parse(argument);
    const { connections = 0, make } = ATTACKS[name] ?? {};
    attack = await make?.({ mcp, address: '203.0.113.66', connections });
    isAttacking = true;
    acts = 0;
    attacking = Promise.all(Array.from({ length: connections }, actOn));
  },
  /** @returns the number of actions */
  async stop(): Promise<number> {
    isAttacking = false;
    attack?.end();
    await attacking;
    return acts;
  },
});

async function actOn(): Promise<void> {
  while (isAttacking) {
    // Refused requests and closed connections are expected.
    await attack?.act().catch(() => undefined);
    acts++;
  }
}

/**
 * Limits for the CPU time of a single request and for the memory kept for a single client, both measured on an idle
 * server. CPU time is that of the process, so other load of the machine makes little difference.
 */
import type { Answer } from './client.js';

/** About 20 ms, and as much again for machines that are slow. */
const MAX_REFUSED_MS = 40;
/** A call with as many arguments as there may be is checked against its tool's schema. */
const MAX_WELCOME_MS = 120;
/** Garbage is collected, and code is compiled, during one of them, but not during all. */
const TRIES = 5;

/** What a request costs when it is answered like that, at most. */
export function cpuBudgetMs({ status }: Pick<Answer, 'status'>): number {
  return status >= 200 && status < 400 ? MAX_WELCOME_MS : MAX_REFUSED_MS;
}

/** How a request was answered, and what that cost. */
export interface Cost {
  readonly answer: Answer;
  readonly cpuMs: number;
}

/** What a request costs at the least. It is sent again only as long as that is too much. */
export async function cpuCost(send: () => Promise<Answer>, usedCpuMs: () => Promise<number>): Promise<Cost> {
  let least: Cost | undefined;
  for (let tries = 0; tries < TRIES; tries++) {
    const beforeMs = await usedCpuMs();
    const answer = await send();
    const cpuMs = (await usedCpuMs()) - beforeMs;
    if (!least || cpuMs < least.cpuMs) least = { answer, cpuMs };
    if (!isTooDear(least)) break;
  }
  if (!least) throw new Error('Nothing was sent.');
  return least;
}

export function isTooDear({ answer, cpuMs }: Cost): boolean {
  return cpuMs > cpuBudgetMs(answer);
}

/**
 * What one client may make the server keep, whatever it asks for. `docs/limits.md` has 0.5 MiB of events, and 64 KiB
 * each of what it says of itself, of a connection's subscriptions and of those of four streams; the rest is objects.
 */
export const MAX_KEPT_BYTES: number = 1.5 * 1024 * 1024;

/**
 * How many bytes are kept for each of some clients.
 * @param hoard lets that many of them ask for as much as they can. They are still there afterwards.
 */
export async function keptPerClient(
  clients: number,
  hoard: (clients: number) => Promise<void>,
  heldBytes: () => Promise<number>,
): Promise<number> {
  // What is there once for all of them is there already.
  await hoard(1);
  const before = await heldBytes();
  await hoard(clients);
  return ((await heldBytes()) - before) / clients;
}

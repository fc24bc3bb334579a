/**
 * Limits for the CPU time of a single request and for the memory kept for a single client, both measured on an idle
 * server. CPU time is that of the process, so other load of the machine makes little difference.
 */
import type { Answer } from './client.js';

/** About 20 ms, doubled for slow machines. */
const MAX_REFUSED_MS = 40;
/** A call with the maximum of arguments is validated against the schema of its tool. */
const MAX_ACCEPTED_MS = 120;
/** Garbage collection and compilation affect some repetitions, and not all. */
const TRIES = 5;

/** The maximum CPU time of a request with this response. */
export function cpuBudgetMs({ status }: Pick<Answer, 'status'>): number {
  return status >= 200 && status < 400 ? MAX_ACCEPTED_MS : MAX_REFUSED_MS;
}

/** A response and the CPU time of its request. */
export interface Cost {
  readonly answer: Answer;
  readonly cpuMs: number;
}

/** The minimum CPU time of a request. Repeats the request only while the time exceeds the limit. */
export async function cpuCost(send: () => Promise<Answer>, usedCpuMs: () => Promise<number>): Promise<Cost> {
  let least: Cost | undefined;
  for (let tries = 0; tries < TRIES; tries++) {
    const beforeMs = await usedCpuMs();
    const answer = await send();
    const cpuMs = (await usedCpuMs()) - beforeMs;
    if (!least || cpuMs < least.cpuMs) least = { answer, cpuMs };
    if (!isTooExpensive(least)) break;
  }
  if (!least) throw new Error('Nothing was sent.');
  return least;
}

export function isTooExpensive({ answer, cpuMs }: Cost): boolean {
  return cpuMs > cpuBudgetMs(answer);
}

/**
 * The maximum memory of one client. `docs/limits.md` allows 0.5 MiB of events, and 64 KiB each of client information,
 * of the subscriptions of a connection, and of those of four streams. Objects need the rest.
 */
export const MAX_KEPT_BYTES: number = 1.5 * 1024 * 1024;

/**
 * Measures the memory for each client, in bytes.
 * @param addClients makes this number of clients request as much as possible; they stay connected
 */
export async function memoryPerClient(
  clients: number,
  addClients: (clients: number) => Promise<void>,
  heldBytes: () => Promise<number>,
): Promise<number> {
  // Memory that all clients share is allocated first.
  await addClients(1);
  const before = await heldBytes();
  await addClients(clients);
  return ((await heldBytes()) - before) / clients;
}

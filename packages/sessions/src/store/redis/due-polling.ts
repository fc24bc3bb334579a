import type { Engine } from './engine.js';
import { listOf, textIn } from './replies.js';
import type { Script } from './script.js';

/** The time between two looks at what is due. */
const POLL_MS = 500;
/** The time until something that was handed over is due again. */
const LEASE_MS = 5000;
/** The maximum number that a look takes. A node that is slow leaves the rest to others. */
const MAX_TAKEN = 50;

/**
 * Looks at what is due in the engine, and hands it over. Errors are left alone: the next look follows.
 * @param script takes a number and a lease, and answers names
 * @returns a function that stops it
 */
export function pollDue(engine: Engine, script: Script, run: (name: string) => void): () => void {
  let isStopped = false;
  let cancel: () => void = () => undefined;
  const look = async (): Promise<void> => {
    const taken = await takeDue(engine, script);
    if (isStopped) return;
    for (const name of taken) run(name);
    cancel = engine.clock.after(taken.length === MAX_TAKEN ? 0 : POLL_MS, () => void look());
  };
  cancel = engine.clock.after(0, () => void look());
  return () => {
    isStopped = true;
    cancel();
  };
}

async function takeDue(engine: Engine, script: Script): Promise<readonly string[]> {
  try {
    return listOf(await engine.run(script, [MAX_TAKEN, LEASE_MS])).map(textIn);
  } catch {
    return [];
  }
}

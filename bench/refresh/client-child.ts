/** The clients: they log in, and call a tool continuously. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { LoadClient } from '../../test/soak/load-client.js';
import { answerParent } from '../../test/support/answer-parent.js';
import type { Foreground } from './measurement.js';

const startSchema = z.object({ mcp: z.string(), sessions: z.number() });

/** The number of clients that call at the same time. */
const CALLERS = 4;
/** The pause between two calls of a client. */
const PAUSE_MS = 20;
const TOOL = 'call_api';

let client: LoadClient | undefined;
let ids: string[] = [];
let isCalling = false;
let calling: Promise<unknown> | undefined;
let foreground: Foreground = { calls: 0, failed: 0 };

answerParent({
  async start(argument) {
    const { mcp, sessions } = startSchema.parse(argument);
    client = new LoadClient(mcp);
    ids = await client.add(sessions);
  },
  /** Every session calls once. @throws if one fails */
  async callFromEach() {
    const left = [...ids];
    const work = async () => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) await client?.call(id, TOOL);
    };
    await Promise.all(Array.from({ length: CALLERS * 4 }, work));
  },
  startCalling() {
    isCalling = true;
    calling = Promise.all(Array.from({ length: CALLERS }, (_, index) => callOn(index)));
  },
  async stopCalling(): Promise<Foreground> {
    isCalling = false;
    await calling;
    return foreground;
  },
});

async function callOn(first: number): Promise<void> {
  for (let turn = first; isCalling; turn += CALLERS) {
    const failure = await client?.call(ids[turn % ids.length] ?? '', TOOL).then(() => undefined, String);
    const { calls, failed, firstFailure = failure } = foreground;
    foreground = {
      calls: calls + 1,
      failed: failed + (failure === undefined ? 0 : 1),
      ...(firstFailure !== undefined && { firstFailure }),
    };
    await sleep(PAUSE_MS);
  }
}

import { rm } from 'node:fs/promises';
import { makeHome } from './home.js';
import type { Host, Setup } from './host.js';
import { lastWords, runToEnd, startHost } from './host-process.js';
import { Conversation } from './model/conversation.js';
import { startModelServer } from './model/model-server.js';
import type { Candidate, RunningHost } from './running-host.js';
import { type Access, writeFiles } from './stage.js';

/** A host that has a model, with the model's side in the hands of a script. */
export function modelHost(host: Host): Candidate {
  return {
    name: host.name,
    title: host.title,
    pin: host.pin ?? host.name,
    async settle(mcp, access, user) {
      const home = await makeHome(host.pin ?? host.name, await user.sitDown());
      return {
        async signIn() {
          const setup = { ...home, mcp, model: 'http://127.0.0.1:9' };
          await writeFiles(setup.home, host.files?.(setup) ?? {});
          if (host.signIn) await runToEnd(startHost(host.signIn(setup), setup));
        },
        start: () => startConversation(host, access, { ...home, mcp }),
        remove: () => rm(home.home, { recursive: true, force: true, maxRetries: 5 }),
      };
    },
  };
}

async function startConversation(
  host: Host,
  access: Access,
  settled: Omit<Setup, 'model'>,
): Promise<RunningHost> {
  const conversation = new Conversation();
  const model = await startModelServer(conversation);
  const setup: Setup = { ...settled, model: model.origin };
  await writeFiles(setup.home, host.files?.(setup) ?? {});
  const running = startHost(host.talk(setup, access), setup);
  void running.ended.then((code) => {
    conversation.end(`the host ends with code ${code}: ${lastWords(running)}`);
  });
  return {
    caller: conversation,
    output: running.output,
    async close() {
      await running.stop();
      await model.close();
    },
  };
}

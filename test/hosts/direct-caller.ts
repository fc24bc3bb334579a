import { z } from 'zod';
import { type Caller, type Exchange, handleAfter } from './caller.js';

/** A host that calls tools without a model. */
export interface DirectClient {
  listTools(): Promise<unknown>;
  callTool(name: string, args: Readonly<Record<string, unknown>>): Promise<unknown>;
}

const toolsSchema = z.looseObject({
  tools: z.array(
    z.looseObject({
      name: z.string(),
      inputSchema: z.looseObject({ properties: z.record(z.string(), z.unknown()).default({}) }),
    }),
  ),
});
const resultSchema = z.looseObject({
  content: z.array(z.looseObject({ text: z.string().default('') })),
});

/** Calls tools as a model does that reads their text. */
export function directCaller(client: DirectClient): Caller {
  const exchanges: Exchange[] = [];
  let takeHandle = new Set<string>();
  let handle: string | undefined;
  return {
    exchanges,
    async opened() {
      const { tools } = toolsSchema.parse(await client.listTools());
      takeHandle = new Set(
        tools.filter(({ inputSchema }) => 'session' in inputSchema.properties).map(({ name }) => name),
      );
      return tools.map(({ name }) => name);
    },
    async call(tool, args = {}) {
      const passed = handle !== undefined && takeHandle.has(tool) ? { ...args, session: handle } : args;
      const shown = await client.callTool(tool, passed).then(textOf, (error: unknown) => String(error));
      exchanges.push({ tool, args: passed, shown });
      handle = handleAfter(handle, shown);
      return shown;
    },
    finish: () => Promise.resolve(),
  };
}

function textOf(result: unknown): string {
  const { data } = resultSchema.safeParse(result);
  return data ? data.content.map(({ text }) => text).join('\n') : JSON.stringify(result);
}

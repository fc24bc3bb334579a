import { z } from 'zod';
import { type Dialect, events, type OfferedTool, type Reply, textOf } from './dialect.js';

const parameters = z.looseObject({ properties: z.record(z.string(), z.unknown()).default({}) });
const functionTool = z.looseObject({
  type: z.string(),
  name: z.string().optional(),
  parameters: parameters.nullish(),
});
const toolSchema = functionTool.extend({ tools: z.array(functionTool).default([]) });
const requestSchema = z.looseObject({
  stream: z.boolean().default(false),
  tools: z.array(toolSchema).default([]),
  input: z.union([z.string(), z.array(z.unknown())]),
});
const resultSchema = z.looseObject({
  type: z.literal('function_call_output'),
  call_id: z.string(),
  output: z.unknown(),
});

/** The Responses API. */
export const openaiResponses: Dialect = {
  matches: (path) => path.endsWith('/responses'),

  read(body) {
    const { stream, tools, input } = requestSchema.parse(body);
    const items = typeof input === 'string' ? [] : input;
    return {
      isStreaming: stream,
      tools: tools.flatMap((tool) => [
        ...offered(tool),
        ...tool.tools.flatMap((inner) => offered(inner, tool.name)),
      ]),
      results: items.flatMap((item) => {
        const { data } = resultSchema.safeParse(item);
        return data ? [{ callId: data.call_id, text: textOf(data.output) }] : [];
      }),
    };
  },

  write(reply, isStreaming) {
    const item = itemOf(reply);
    const response = { id: 'resp_1', object: 'response', model: 'stand-in', created_at: 0 };
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
    const completed = { ...response, status: 'completed', output: [item], usage };
    if (!isStreaming) return JSON.stringify(completed);
    const open = { ...response, status: 'in_progress', output: [] };
    return events(
      [
        { type: 'response.created', response: open },
        { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress' } },
        { type: 'response.output_item.done', output_index: 0, item },
        { type: 'response.completed', response: completed },
      ].map((event, index) => [event.type, { ...event, sequence_number: index }] as const),
    );
  },
};

function offered(tool: z.infer<typeof functionTool>, namespace?: string): OfferedTool[] {
  if (tool.type !== 'function' || tool.name === undefined) return [];
  const parameters = Object.keys(tool.parameters?.properties ?? {});
  return [{ name: tool.name, parameters, ...(namespace !== undefined && { namespace }) }];
}

function itemOf(reply: Reply): Record<string, unknown> {
  if (reply.kind === 'say') {
    const content = [{ type: 'output_text', text: reply.text, annotations: [] }];
    return { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content };
  }
  const { callId, tool, args } = reply;
  return {
    type: 'function_call',
    id: `fc_${callId}`,
    call_id: callId,
    name: tool.name,
    ...(tool.namespace !== undefined && { namespace: tool.namespace }),
    arguments: JSON.stringify(args),
    status: 'completed',
  };
}

import { z } from 'zod';
import { type Dialect, events, type Reply, textOf } from './dialect.js';

const parameters = z.looseObject({ properties: z.record(z.string(), z.unknown()).default({}) });
const requestSchema = z.looseObject({
  stream: z.boolean().default(false),
  tools: z
    .array(
      z.looseObject({ function: z.looseObject({ name: z.string(), parameters: parameters.optional() }) }),
    )
    .default([]),
  messages: z.array(
    z.looseObject({ role: z.string(), tool_call_id: z.string().optional(), content: z.unknown() }),
  ),
});

/** Chat completions, the API that most other models speak, too. */
export const openaiChat: Dialect = {
  matches: (path) => path.endsWith('/chat/completions'),

  read(body) {
    const { stream, tools, messages } = requestSchema.parse(body);
    return {
      isStreaming: stream,
      tools: tools.map(({ function: { name, parameters } }) => ({
        name,
        parameters: Object.keys(parameters?.properties ?? {}),
      })),
      results: messages.flatMap(({ role, tool_call_id: callId, content }) =>
        role === 'tool' && callId !== undefined ? [{ callId, text: textOf(content) }] : [],
      ),
    };
  },

  write(reply, isStreaming) {
    const completion = { id: 'chatcmpl-1', created: 0, model: 'stand-in' };
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    const reason = reply.kind === 'call' ? 'tool_calls' : 'stop';
    const message = { role: 'assistant', ...messageOf(reply) };
    if (!isStreaming) {
      const choice = { index: 0, message, finish_reason: reason };
      return JSON.stringify({ ...completion, object: 'chat.completion', choices: [choice], usage });
    }
    const chunk = (delta: unknown, finish: string | null) => ({
      ...completion,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason: finish }],
      ...(finish !== null && { usage }),
    });
    return events([
      [undefined, chunk(message, null)],
      [undefined, chunk({}, reason)],
      [undefined, '[DONE]'],
    ]);
  },
};

function messageOf(reply: Reply): Record<string, unknown> {
  if (reply.kind === 'say') return { content: reply.text };
  const called = { name: reply.tool.name, arguments: JSON.stringify(reply.args) };
  return { content: null, tool_calls: [{ index: 0, id: reply.callId, type: 'function', function: called }] };
}

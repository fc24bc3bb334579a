import { z } from 'zod';
import { type Dialect, events, type Reply, textOf } from './dialect.js';

const schemaOf = z.looseObject({ properties: z.record(z.string(), z.unknown()).default({}) });
const requestSchema = z.looseObject({
  stream: z.boolean().default(false),
  tools: z.array(z.looseObject({ name: z.string(), input_schema: schemaOf.optional() })).default([]),
  messages: z.array(z.looseObject({ content: z.unknown() })),
});
const resultSchema = z.looseObject({
  type: z.literal('tool_result'),
  tool_use_id: z.string(),
  content: z.unknown(),
});

/** The Messages API. */
export const anthropic: Dialect = {
  matches: (path) => path.endsWith('/v1/messages'),

  read(body) {
    const { stream, tools, messages } = requestSchema.parse(body);
    const blocks = messages.flatMap(({ content }): unknown[] => (Array.isArray(content) ? content : []));
    return {
      isStreaming: stream,
      tools: tools.map(({ name, input_schema }) => ({
        name,
        parameters: Object.keys(input_schema?.properties ?? {}),
      })),
      results: blocks.flatMap((block) => {
        const { data } = resultSchema.safeParse(block);
        return data ? [{ callId: data.tool_use_id, text: textOf(data.content) }] : [];
      }),
    };
  },

  write(reply, isStreaming) {
    const block = contentOf(reply);
    const message = {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'stand-in',
      stop_sequence: null,
      usage: { input_tokens: 1, output_tokens: 1 },
    };
    const stopReason = reply.kind === 'call' ? 'tool_use' : 'end_turn';
    if (!isStreaming) return JSON.stringify({ ...message, content: [block], stop_reason: stopReason });
    return events(
      [
        { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
        { type: 'content_block_start', index: 0, content_block: emptied(block) },
        { type: 'content_block_delta', index: 0, delta: deltaOf(reply) },
        { type: 'content_block_stop', index: 0 },
        {
          type: 'message_delta',
          delta: { stop_reason: stopReason, stop_sequence: null },
          usage: { output_tokens: 1 },
        },
        { type: 'message_stop' },
      ].map((event) => [event.type, event] as const),
    );
  },
};

function contentOf(reply: Reply): Record<string, unknown> {
  if (reply.kind === 'say') return { type: 'text', text: reply.text };
  return { type: 'tool_use', id: reply.callId, name: reply.tool.name, input: reply.args };
}

function emptied(block: Record<string, unknown>): Record<string, unknown> {
  return block.type === 'text' ? { ...block, text: '' } : { ...block, input: {} };
}

function deltaOf(reply: Reply): Record<string, unknown> {
  if (reply.kind === 'say') return { type: 'text_delta', text: reply.text };
  return { type: 'input_json_delta', partial_json: JSON.stringify(reply.args) };
}

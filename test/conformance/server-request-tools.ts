/** Tools that send requests to the client while they run (2025 revisions). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

const answer = (value: unknown) => ({ content: [{ type: 'text' as const, text: JSON.stringify(value) }] });

export function registerServerRequestTools(server: McpServer): void {
  server.registerTool(
    'test_sampling',
    { description: 'Asks the model of the client', inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, ctx) =>
      answer(
        await ctx.mcpReq.send({
          method: 'sampling/createMessage',
          params: { messages: [{ role: 'user', content: { type: 'text', text: prompt } }], maxTokens: 64 },
        }),
      ),
  );

  server.registerTool(
    'test_elicitation',
    { description: 'Asks the user a question', inputSchema: z.object({ message: z.string() }) },
    async ({ message }, ctx) =>
      answer(
        await ctx.mcpReq.send({
          method: 'elicitation/create',
          params: {
            message,
            requestedSchema: {
              type: 'object',
              properties: { response: { type: 'string' } },
              required: ['response'],
            },
          },
        }),
      ),
  );

  server.registerTool(
    'test_elicitation_sep1034_defaults',
    { description: 'Asks with a default for every kind of field' },
    async (ctx) =>
      answer(
        await ctx.mcpReq.send({
          method: 'elicitation/create',
          params: {
            message: 'Is this right?',
            requestedSchema: {
              type: 'object',
              properties: {
                name: { type: 'string', default: 'John Doe' },
                age: { type: 'integer', default: 30 },
                score: { type: 'number', default: 95.5 },
                status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
                verified: { type: 'boolean', default: true },
              },
            },
          },
        }),
      ),
  );

  server.registerTool(
    'test_elicitation_sep1330_enums',
    { description: 'Asks with every kind of enumeration' },
    async (ctx) =>
      answer(
        await ctx.mcpReq.send({
          method: 'elicitation/create',
          params: {
            message: 'Which ones?',
            requestedSchema: {
              type: 'object',
              properties: {
                untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
                titledSingle: { type: 'string', oneOf: titled('value1', 'value2', 'value3') },
                legacyEnum: {
                  type: 'string',
                  enum: ['opt1', 'opt2', 'opt3'],
                  enumNames: ['Option One', 'Option Two', 'Option Three'],
                },
                untitledMulti: {
                  type: 'array',
                  items: { type: 'string', enum: ['option1', 'option2', 'option3'] },
                },
                titledMulti: { type: 'array', items: { anyOf: titled('value1', 'value2', 'value3') } },
              },
            },
          },
        }),
      ),
  );

  server.registerTool(
    'test_reconnection',
    { description: 'Hangs up before it answers, so that the client has to come back for the answer' },
    async (ctx) => {
      ctx.http?.closeSSE?.();
      await sleep(100);
      return answer('Answered after hanging up.');
    },
  );
}

function titled(...values: string[]): { const: string; title: string }[] {
  return values.map((value) => ({ const: value, title: `Choice ${value}` }));
}

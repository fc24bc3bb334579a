/** Tools without requests to the client: all kinds of content, errors, progress and log messages. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CallToolResult,
  fromJsonSchema,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { png, wav } from './samples.js';

type Content = CallToolResult['content'][number];

const text = (value: string): Content => ({ type: 'text', text: value });
const image: Content = { type: 'image', data: png, mimeType: 'image/png' };
const audio: Content = { type: 'audio', data: wav, mimeType: 'audio/wav' };
const embedded = (uri: string, value: string): Content => ({
  type: 'resource',
  resource: { uri, mimeType: 'text/plain', text: value },
});

const fixedAnswers: Record<string, Content[]> = {
  test_simple_text: [text('A plain sentence.')],
  test_image_content: [image],
  test_audio_content: [audio],
  test_embedded_resource: [embedded('test://embedded-resource', 'Text that travels inside a result.')],
  test_multiple_content_types: [
    text('Three kinds in one result:'),
    image,
    embedded('test://mixed-content-resource', 'The third one.'),
  ],
  // The suite checks that the stream contains only the result.
  test_streaming_elicitation: [text('Only a result.')],
};

export function registerContentTools(server: McpServer): void {
  for (const [name, content] of Object.entries(fixedAnswers)) {
    server.registerTool(name, { description: 'Answers with fixed content' }, () => ({ content }));
  }

  server.registerTool('test_error_handling', { description: 'Always fails' }, () => {
    throw new Error('This tool fails on purpose.');
  });

  server.registerTool('test_tool_with_logging', { description: 'Logs while it works' }, async (ctx) => {
    for (const data of ['begun', 'halfway', 'finished']) {
      await ctx.mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } });
      await sleep(20);
    }
    return { content: [text('Logged three times.')] };
  });

  // Revision 2026-07-28 requires no log messages if the request has no log level.
  server.registerTool('test_logging_tool', { description: 'Logs if the request wants it' }, async (ctx) => {
    await ctx.mcpReq.log('info', 'asked for by the log level of the request');
    return { content: [text('Logged, if wanted.')] };
  });

  server.registerTool('test_tool_with_progress', { description: 'Reports its progress' }, async (ctx) => {
    await reportProgress(ctx);
    return { content: [text('Done.')] };
  });

  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Its schema must be listed word for word', inputSchema: fromJsonSchema(schema202012) },
    (args) => ({ content: [text(JSON.stringify(args))] }),
  );

  server.registerTool(
    'test_x_mcp_header',
    { description: 'Wants an argument repeated in a header', inputSchema: fromJsonSchema(schemaWithHeader) },
    (args) => ({ content: [text(JSON.stringify(args))] }),
  );

  server.registerTool(
    'test_echo_arguments',
    { description: 'Repeats its argument', inputSchema: z.object({ value: z.string() }) },
    ({ value }) => ({ content: [text(value)] }),
  );
}

/** Sends progress only if the request has a progress token. */
async function reportProgress(ctx: ServerContext): Promise<void> {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  for (const progress of [0, 50, 100]) {
    await ctx.mcpReq.notify({
      method: 'notifications/progress',
      params: { progressToken, progress, total: 100 },
    });
    await sleep(20);
  }
}

const schema202012 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // biome-ignore lint/suspicious/noThenProperty: `then` is a keyword of JSON Schema.
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
} as const;

const schemaWithHeader = {
  type: 'object',
  properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    level: { type: 'integer' },
  },
} as const;

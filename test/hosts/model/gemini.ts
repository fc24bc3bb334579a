import { z } from 'zod';
import { type Dialect, events, type ModelRequest, type Reply } from './dialect.js';

const schemaOf = z.looseObject({ properties: z.record(z.string(), z.unknown()).default({}) });
const declaration = z.looseObject({
  name: z.string(),
  parameters: schemaOf.optional(),
  parametersJsonSchema: schemaOf.optional(),
});
const functionResponse = z.looseObject({
  id: z.string().optional(),
  name: z.string(),
  response: z.unknown(),
});
const part = z.looseObject({ functionResponse: functionResponse.optional() });
const requestSchema = z.looseObject({
  tools: z.array(z.looseObject({ functionDeclarations: z.array(declaration).default([]) })).default([]),
  contents: z.array(z.looseObject({ parts: z.array(part).default([]) })),
});
const outputSchema = z.object({ output: z.string() });

/** The Gemini API. */
export const gemini: Dialect = {
  matches: (path) => /:(stream)?generateContent$/i.test(path),

  read(body, path): ModelRequest {
    const { tools, contents } = requestSchema.parse(body);
    return {
      isStreaming: path.endsWith(':streamGenerateContent'),
      tools: tools
        .flatMap((tool) => tool.functionDeclarations)
        .map(({ name, parameters, parametersJsonSchema }) => ({
          name,
          parameters: Object.keys((parametersJsonSchema ?? parameters)?.properties ?? {}),
        })),
      results: contents
        .flatMap(({ parts }) => parts)
        .flatMap(({ functionResponse: answer }) =>
          answer ? [{ callId: answer.id ?? answer.name, text: shown(answer.response) }] : [],
        ),
    };
  },

  write(reply, isStreaming) {
    const candidate = { content: { role: 'model', parts: [partOf(reply)] }, finishReason: 'STOP', index: 0 };
    const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 };
    const response = { candidates: [candidate], usageMetadata, modelVersion: 'stand-in' };
    return isStreaming ? events([[undefined, response]]) : JSON.stringify(response);
  },
};

function shown(response: unknown): string {
  const { data } = outputSchema.safeParse(response);
  return data?.output ?? JSON.stringify(response);
}

function partOf(reply: Reply): Record<string, unknown> {
  if (reply.kind === 'say') return { text: reply.text };
  return { functionCall: { id: reply.callId, name: reply.tool.name, args: reply.args } };
}

import { acceptedContent, completable, inputRequired, type McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { png } from './samples.js';

const Context = z.object({ context: z.string() });

const said = (text: string) => ({ role: 'user' as const, content: { type: 'text' as const, text } });

export function registerPrompts(server: McpServer): void {
  server.registerPrompt('test_simple_prompt', { description: 'Takes nothing' }, () => ({
    messages: [said('Say something simple.')],
  }));

  const argument = () => completable(z.string(), (typed) => [`${typed}ing`]);
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'Takes two words', argsSchema: z.object({ arg1: argument(), arg2: argument() }) },
    ({ arg1, arg2 }) => ({ messages: [said(`The words are '${arg1}' and '${arg2}'.`)] }),
  );

  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'Carries a resource', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'resource',
            resource: { uri: resourceUri, mimeType: 'text/plain', text: 'Text inside a prompt.' },
          },
        },
        said('What does the resource say?'),
      ],
    }),
  );

  server.registerPrompt('test_prompt_with_image', { description: 'Carries an image' }, () => ({
    messages: [
      { role: 'user', content: { type: 'image', data: png, mimeType: 'image/png' } },
      said('What does the image show?'),
    ],
  }));

  server.registerPrompt(
    'test_input_required_result_prompt',
    { description: 'Asks before it answers' },
    (ctx) => {
      const accepted = acceptedContent(ctx.mcpReq.inputResponses, 'user_context', Context);
      if (accepted) return { messages: [said(`Bear in mind: ${accepted.context}`)] };
      return inputRequired({
        inputRequests: {
          user_context: inputRequired.elicit({
            message: 'What should the prompt bear in mind?',
            requestedSchema: {
              type: 'object',
              properties: { context: { type: 'string' } },
              required: ['context'],
            },
          }),
        },
      });
    },
  );
}

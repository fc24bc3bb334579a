/** Tools that return `input_required` and are called again with the input (2026-07-28). */
import { randomBytes } from 'node:crypto';
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  createRequestStateCodec,
  type InputRequests,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
  type ServerOptions,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

/** The request state of a tool. The client sends it back, so it is signed. */
const State = z.object({ tool: z.string(), leg: z.number(), name: z.string().optional() });
type State = z.infer<typeof State>;

const states = createRequestStateCodec<State>({ key: randomBytes(32) });

/** Verifies request states before a tool gets them. A modified state causes a protocol error. */
export const requestState: NonNullable<ServerOptions['requestState']> = { verify: states.verify };

const Name = z.object({ name: z.string() });
const Color = z.object({ color: z.string() });
const Ok = z.object({ ok: z.boolean() });

const done = (text: string) => ({ content: [{ type: 'text' as const, text }] });

function ask(message: string, field: string) {
  return inputRequired.elicit({
    message,
    requestedSchema: { type: 'object', properties: { [field]: { type: 'string' } }, required: [field] },
  });
}

function askConfirmation() {
  return inputRequired.elicit({
    message: 'Go on?',
    requestedSchema: { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] },
  });
}

function askModel(question: string) {
  return inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: question } }],
    maxTokens: 64,
  });
}

/** The request state of the call, if any. */
function stateOf(tool: string, ctx: ServerContext): State | undefined {
  const verified = ctx.mcpReq.requestState<unknown>();
  if (verified === undefined) return undefined;
  const state = State.parse(verified);
  if (state.tool !== tool) throw new Error('This request state belongs to another tool.');
  return state;
}

function declaredCapabilities(ctx: ServerContext): ClientCapabilities | undefined {
  // SDK 2.4.0 exports the type of the envelope without its members.
  const envelope = ctx.mcpReq.envelope as Record<string, ClientCapabilities> | undefined;
  return envelope?.[CLIENT_CAPABILITIES_META_KEY];
}

export function registerInputRequiredTools(server: McpServer): void {
  server.registerTool(
    'test_input_required_result_elicitation',
    { description: 'Asks the user for a name' },
    (ctx) => {
      const accepted = acceptedContent(ctx.mcpReq.inputResponses, 'user_name', Name);
      if (!accepted)
        return inputRequired({ inputRequests: { user_name: ask('What is your name?', 'name') } });
      return done(`Hello, ${accepted.name}!`);
    },
  );

  server.registerTool(
    'test_input_required_result_sampling',
    { description: 'Asks the model of the client' },
    (ctx) => {
      const response = inputResponse(ctx.mcpReq.inputResponses, 'capital_question');
      if (response.kind !== 'sampling') {
        return inputRequired({
          inputRequests: { capital_question: askModel('What is the capital of France?') },
        });
      }
      return done('The model has answered.');
    },
  );

  // Requests a capability that the client has not declared, so the request must not be sent.
  server.registerTool('test_missing_capability', { description: 'Needs sampling' }, (ctx) => {
    const response = inputResponse(ctx.mcpReq.inputResponses, 'reply');
    if (response.kind !== 'sampling') {
      return inputRequired({ inputRequests: { reply: askModel('Say one word.') } });
    }
    return done('The model has answered.');
  });

  server.registerTool(
    'test_input_required_result_list_roots',
    { description: 'Asks for the roots of the client' },
    (ctx) => {
      const response = inputResponse(ctx.mcpReq.inputResponses, 'client_roots');
      if (response.kind !== 'roots') {
        return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
      }
      return done(`${response.roots.length} roots.`);
    },
  );

  for (const tool of [
    'test_input_required_result_request_state',
    'test_input_required_result_tampered_state',
  ]) {
    server.registerTool(tool, { description: 'Asks for a confirmation and signs its state' }, async (ctx) => {
      const state = stateOf(tool, ctx);
      const confirmed = acceptedContent(ctx.mcpReq.inputResponses, 'confirm', Ok);
      if (state && confirmed) return done('state-ok');
      return inputRequired({
        inputRequests: { confirm: askConfirmation() },
        requestState: await states.mint({ tool, leg: 1 }, ctx),
      });
    });
  }

  server.registerTool(
    'test_input_required_result_multiple_inputs',
    { description: 'Asks for three things at once' },
    async (ctx) => {
      const tool = 'test_input_required_result_multiple_inputs';
      stateOf(tool, ctx);
      const responses = ctx.mcpReq.inputResponses;
      const accepted = acceptedContent(responses, 'user_name', Name);
      const greeting = inputResponse(responses, 'greeting');
      const roots = inputResponse(responses, 'client_roots');
      if (accepted && greeting.kind === 'sampling' && roots.kind === 'roots') {
        return done(`${accepted.name} is greeted and has ${roots.roots.length} roots.`);
      }
      return inputRequired({
        inputRequests: {
          user_name: ask('What is your name?', 'name'),
          greeting: askModel('Greet a user.'),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await states.mint({ tool, leg: 1 }, ctx),
      });
    },
  );

  server.registerTool(
    'test_input_required_result_multi_round',
    { description: 'Asks twice, one after the other' },
    async (ctx) => {
      const tool = 'test_input_required_result_multi_round';
      const state = stateOf(tool, ctx);
      const responses = ctx.mcpReq.inputResponses;
      const name = state?.name ?? acceptedContent(responses, 'step1', Name)?.name;
      const color = acceptedContent(responses, 'step2', Color)?.color;
      if (state && name !== undefined && color !== undefined) return done(`${name} likes ${color}.`);
      if (state && name !== undefined) {
        return inputRequired({
          inputRequests: { step2: ask('What is your favourite colour?', 'color') },
          requestState: await states.mint({ tool, leg: 2, name }, ctx),
        });
      }
      return inputRequired({
        inputRequests: { step1: ask('What is your name?', 'name') },
        requestState: await states.mint({ tool, leg: 1 }, ctx),
      });
    },
  );

  server.registerTool(
    'test_input_required_result_capabilities',
    { description: 'Asks only what the client can answer' },
    (ctx) => {
      if (ctx.mcpReq.inputResponses !== undefined) return done('Answered.');
      const declared = declaredCapabilities(ctx);
      const inputRequests: InputRequests = {};
      if (declared?.elicitation) inputRequests.user_name = ask('What is your name?', 'name');
      if (declared?.sampling) inputRequests.greeting = askModel('Greet a user.');
      if (declared?.roots) inputRequests.client_roots = inputRequired.listRoots();
      if (Object.keys(inputRequests).length === 0)
        return done('There is nothing this client could be asked.');
      return inputRequired({ inputRequests });
    },
  );
}

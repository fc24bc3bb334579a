import { getRequestListener } from '@hono/node-server';
import { Hono, type MiddlewareHandler } from 'hono';
import { z } from 'zod';
import { limitBody } from './limit-body.js';
import { serveOnLoopback } from './loopback-server.js';
import { createNotebooks } from './notebooks.js';
import {
  type Caller,
  createTokenIntrospection,
  type TokenIntrospection,
  type TokenIntrospectionOptions,
} from './token-introspection.js';

export interface NotesApiOptions extends TokenIntrospectionOptions {
  /** `0`: any free one. */
  readonly port: number;
  /** How many notes a user can keep. Default: 1000. */
  readonly maxNotes?: number;
}

export interface NotesApi {
  /** Its address: `http://127.0.0.1:<port>`. */
  readonly origin: string;
  close(): Promise<void>;
}

interface Env {
  Variables: { caller: Caller };
}

const MAX_NOTE_CHARACTERS = 10_000;
/** Room for the longest note with every character escaped. */
const MAX_BODY_BYTES = 128 * 1024;

const newNote = z.object({ text: z.string().trim().min(1).max(MAX_NOTE_CHARACTERS) });

/**
 * Starts a notes service on this machine: `GET /me`, `GET /notes`, `POST /notes`. Each user has notes of
 * their own; every request needs an access token (RFC 6750) of that issuer meant for that resource.
 *
 * @throws the `EADDRINUSE` error of Node when the port is taken, and when the issuer cannot be reached
 */
export async function startNotesApi({
  port,
  maxNotes = 1000,
  ...options
}: NotesApiOptions): Promise<NotesApi> {
  const introspect = await createTokenIntrospection(options);
  return serveOnLoopback(port, () => getRequestListener(createNotesRoutes(introspect, maxNotes).fetch));
}

function createNotesRoutes(introspect: TokenIntrospection, maxNotes: number): Hono<Env> {
  const notebooks = createNotebooks(maxNotes);
  const app = new Hono<Env>();
  app.use(requireToken(introspect));
  app.use(limitBody(MAX_BODY_BYTES, async (c) => c.json(tooLong, 413)));

  app.get('/me', (c) => c.json(c.var.caller));
  app.get('/notes', (c) => c.json({ notes: notebooks.list(c.var.caller.subject) }));
  app.post('/notes', async (c) => {
    const body = newNote.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json(tooLong, 400);
    const note = notebooks.add(c.var.caller.subject, body.data.text);
    return note ? c.json(note, 201) : c.json(notebookFull(maxNotes), 409);
  });

  app.notFound((c) => c.json(problem('not_found', 'There are only /me and /notes.'), 404));
  app.onError((_error, c) =>
    c.json(problem('unavailable', 'The notes service cannot answer. Try again later.'), 503),
  );
  return app;
}

/** Lets a request through as the user its token speaks for, or answers 401 (RFC 6750 section 3). */
function requireToken(introspect: TokenIntrospection): MiddlewareHandler<Env> {
  return async (c, next) => {
    const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    const caller = token && (await introspect(token));
    if (!caller) {
      c.header('WWW-Authenticate', token ? 'Bearer error="invalid_token"' : 'Bearer');
      return c.json(problem('invalid_token', 'Send a valid access token that is meant for this API.'), 401);
    }
    c.set('caller', caller);
    return next();
  };
}

const problem = (error: string, message: string) => ({ error, message });

const tooLong = problem('invalid_note', `Send {"text": "…"} with 1 to ${MAX_NOTE_CHARACTERS} characters.`);
const notebookFull = (maxNotes: number) =>
  problem('notebook_full', `Your notebook is full: it holds ${maxNotes} notes. You cannot add more.`);

import { getRequestListener } from '@hono/node-server';
import { Hono, type MiddlewareHandler } from 'hono';
import { z } from 'zod';
import { limitBody, serveOnLoopback } from './loopback-server.js';
import {
  type Caller,
  createTokenIntrospection,
  type TokenIntrospection,
  type TokenIntrospectionOptions,
} from './token-introspection.js';

export interface NotesApiOptions extends TokenIntrospectionOptions {
  /** `0`: any free port. */
  readonly port: number;
  /** The maximum number of notes of one user. Default: 1000. */
  readonly maxNotes?: number;
}

export interface NotesApi {
  /** The address: `http://127.0.0.1:<port>`. */
  readonly origin: string;
  close(): Promise<void>;
}

interface Env {
  Variables: { caller: Caller };
}

const MAX_NOTE_CHARACTERS = 10_000;
/** The longest note with every character escaped fits. */
const MAX_BODY_BYTES = 128 * 1024;

const newNote = z.object({ text: z.string().trim().min(1).max(MAX_NOTE_CHARACTERS) });

/**
 * Starts a notes service on this machine: `GET /me`, `GET /notes`, `POST /notes`. Each user has their own notes. Every
 * request needs an access token (RFC 6750) of the issuer for the resource.
 *
 * @throws the `EADDRINUSE` error of Node if the port is taken; an error if the issuer cannot be reached
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

  app.notFound((c) => c.json(problem('not_found', 'This API has only /me and /notes.'), 404));
  app.onError((_error, c) =>
    c.json(problem('unavailable', 'The notes service cannot answer. Try again later.'), 503),
  );
  return app;
}

/** Verifies the access token of a request, or answers 401 (RFC 6750 section 3). */
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

/** A note in a response of the API. */
interface Note {
  readonly id: number;
  readonly text: string;
  /** ISO 8601, in UTC. */
  readonly createdAt: string;
}

/** The notes of all users, in memory. */
interface Notebooks {
  /** The notes of a user, oldest first. */
  list(subject: string): readonly Note[];
  /** Adds a note. @returns `undefined` if the user's notebook is full */
  add(subject: string, text: string): Note | undefined;
}

/** @param maxNotes the maximum number of notes of one user */
function createNotebooks(maxNotes: number): Notebooks {
  const notebooks = new Map<string, Note[]>();
  return {
    list: (subject) => notebooks.get(subject) ?? [],
    add: (subject, text) => {
      const notes = notebooks.get(subject) ?? [];
      if (notes.length >= maxNotes) return undefined;
      const note = { id: notes.length + 1, text, createdAt: new Date().toISOString() };
      notebooks.set(subject, [...notes, note]);
      return note;
    },
  };
}

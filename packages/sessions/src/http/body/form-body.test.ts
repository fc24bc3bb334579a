import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { BodyMemoryLimit } from './body-memory-limit.js';
import { readForm } from './form-body.js';

const FORM = 'application/x-www-form-urlencoded';

function post(body: string, type = FORM): Request {
  return new Request('http://127.0.0.1/', { method: 'POST', body, headers: { 'content-type': type } });
}

/** The properties of a request that a body parser changes. */
function parsed(body: unknown): IncomingMessage {
  return { readableDidRead: true, body } as unknown as IncomingMessage;
}

async function fieldsOf(request: Request, incoming?: IncomingMessage) {
  const form = await readForm(
    { request, incoming, isUnmodified: false, clientKey: undefined },
    new BodyMemoryLimit(),
  );
  return typeof form === 'string' ? form : Object.fromEntries(form);
}

describe('a form', () => {
  it('is read from the request', async () => {
    expect(await fieldsOf(post('form=a&action=continue'))).toEqual({ form: 'a', action: 'continue' });
  });

  it('is taken from where a body parser stored it', async () => {
    const incoming = parsed({ form: 'a', action: 'continue' });
    expect(await fieldsOf(post('x=y'), incoming)).toEqual({ form: 'a', action: 'continue' });
    expect(await fieldsOf(post('x=y'), parsed('form=a'))).toEqual({ form: 'a' });
  });

  it('has only fields with one text value', async () => {
    const incoming = parsed({ form: ['a', 'b'], action: { a: 'continue' }, other: 'x' });
    expect(await fieldsOf(post('x=y'), incoming)).toEqual({ other: 'x' });
  });

  it('has no fields if the parsed body is not a form', async () => {
    const incoming = parsed({ form: 'a', action: 'continue' });
    expect(await fieldsOf(post('{}', 'application/json'), incoming)).toEqual({});
    for (const body of [null, 1, true]) expect(await fieldsOf(post('x=y'), parsed(body))).toEqual({});
  });

  it('is refused if it is too large [security 40]', async () => {
    expect(await fieldsOf(post('x'.repeat(17 * 1024)))).toBe('too-large');
  });

  it('is refused if its announced size is too large, even if it was parsed [security 40]', async () => {
    const headers = { 'content-type': FORM, 'content-length': String(17 * 1024) };
    const request = new Request('http://127.0.0.1/', { method: 'POST', body: 'x=y', headers });
    expect(await fieldsOf(request, parsed({ form: 'a' }))).toBe('too-large');
  });
});

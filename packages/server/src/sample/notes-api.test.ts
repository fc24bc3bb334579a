import * as oidc from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RESOURCE, type RelyingParty, startRelyingParty } from '../../test/relying-party.js';
import { type NotesApi, startNotesApi } from './notes-api.js';

let party: RelyingParty;
let api: NotesApi;

beforeAll(async () => {
  party = await startRelyingParty();
  api = await startApi(RESOURCE);
});

afterAll(async () => {
  await api.close();
  await party.provider.close();
});

function startApi(resource: string, maxNotes?: number): Promise<NotesApi> {
  const { provider, resourceServer: credentials } = party;
  return startNotesApi({
    port: 0,
    issuer: provider.issuer,
    credentials,
    resource,
    ...(maxNotes && { maxNotes }),
  });
}

function call(path: string, accessToken?: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...init.headers, ...(accessToken && { authorization: `Bearer ${accessToken}` }) };
  return fetch(new URL(path, api.origin), { ...init, headers });
}

const add = (accessToken: string, body: unknown) =>
  call('/notes', accessToken, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

describe('the notes API', () => {
  it('separates the notes of users', async () => {
    const [alice, bob] = await Promise.all([party.logIn('alice'), party.logIn('bob')]);
    expect((await add(alice.access_token, { text: 'milk' })).status).toBe(201);
    expect((await add(bob.access_token, { text: 'bread' })).status).toBe(201);
    const textsOf = async (token: string) => {
      const { notes } = (await (await call('/notes', token)).json()) as { notes: Array<{ text: string }> };
      return notes.map(({ text }) => text);
    };
    expect(await textsOf(alice.access_token)).toEqual(['milk']);
    expect(await textsOf(bob.access_token)).toEqual(['bread']);
  });

  it('returns the user of the token', async () => {
    const { access_token } = await party.logIn('carol');
    expect(await (await call('/me', access_token)).json()).toEqual({ subject: 'carol', name: 'carol' });
  });

  it('answers 401 without a token', async () => {
    const answer = await call('/me');
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('refuses made-up tokens, refresh tokens and tokens for no resource', async () => {
    const meant = await party.logIn('alice');
    const notMeant = await party.logIn('alice', { resource: '' });
    for (const token of ['made-up', meant.refresh_token, notMeant.access_token]) {
      const answer = await call('/me', token);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    }
  });

  it('refuses a token for another API of the same provider', async () => {
    const { access_token } = await party.logIn('alice');
    const other = await startApi('urn:test:other');
    const headers = { authorization: `Bearer ${access_token}` };
    expect((await fetch(new URL('/me', other.origin), { headers })).status).toBe(401);
    expect((await call('/me', access_token)).status).toBe(200);
    await other.close();
  });

  it('refuses a revoked token at once', async () => {
    const { access_token } = await party.logIn('alice');
    expect((await call('/me', access_token)).status).toBe(200);
    await oidc.tokenRevocation(party.configuration, access_token);
    expect((await call('/me', access_token)).status).toBe(401);
  });

  it('explains why a note is invalid', async () => {
    const { access_token } = await party.logIn('alice');
    for (const body of ['not JSON', {}, { text: '  ' }, { text: 'x'.repeat(10_001) }]) {
      const answer = await add(access_token, body);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({
        error: 'invalid_note',
        message: expect.stringContaining('10000'),
      });
    }
    expect((await add(access_token, { text: 'x'.repeat(200_000) })).status).toBe(413);
  });

  it('accepts the longest note with every character escaped', async () => {
    const { access_token } = await party.logIn('long-winded');
    const answer = await add(access_token, `{"text":"${'\\u00e9'.repeat(10_000)}"}`);
    expect(answer.status).toBe(201);
  });

  it('answers 409 if the notebook is full', async () => {
    const { access_token } = await party.logIn('busy');
    const small = await startApi(RESOURCE, 1);
    const write = () =>
      fetch(new URL('/notes', small.origin), {
        method: 'POST',
        headers: { authorization: `Bearer ${access_token}` },
        body: JSON.stringify({ text: 'one more' }),
      });
    expect((await write()).status).toBe(201);
    const answer = await write();
    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({ error: 'notebook_full' });
    await small.close();
  });
});

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';

let notes: InProcessNotes;
beforeAll(async () => {
  notes = await startInProcessNotes({ access: 'open-to-network' });
});
afterAll(() => notes.close());

const loginSchema = z.object({
  isError: z.boolean().default(false),
  content: z.array(z.object({ text: z.string() })),
  structuredContent: z
    .object({ status: z.string(), loginUrl: z.string().optional(), next: z.string() })
    .optional(),
});

/** A client behind a tunnel or proxy that adds a header. */
async function connectForwarded() {
  const requestInit = { headers: { 'x-forwarded-for': '192.0.2.1' } };
  const client = new Client({ name: 'far-away', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(notes.mcp), { requestInit }));
  const login = async (code?: string) =>
    loginSchema.parse(
      await client.callTool({ name: 'login', arguments: code === undefined ? {} : { code } }),
    );
  const whoami = async () => client.callTool({ name: 'whoami', arguments: {} });
  return { client, login, whoami };
}

async function startLogin(login: () => Promise<z.infer<typeof loginSchema>>, username: string) {
  const started = await login();
  const page = await new Browser().logIn(started.structuredContent?.loginUrl ?? '', username);
  const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)?.[0] ?? '';
  return { page, code };
}

/** The code with its last digit changed. */
const wrong = (code: string) => code.slice(0, -1) + (code.endsWith('0') ? '1' : '0');

describe('a login that needs a confirmation code', () => {
  it('is completed when its client presents the code that the browser shows', async () => {
    const { client, login, whoami } = await connectForwarded();
    const { page, code } = await startLogin(login, 'alice');
    expect(page.url).toMatch(/\/connect\/[^/]+\/code$/);
    expect(await whoami()).toMatchObject({ isError: true });
    expect((await login()).structuredContent).toMatchObject({ status: 'confirmation_required' });

    const confirmed = await login(code.toLowerCase().replace('-', ' '));
    expect(confirmed.structuredContent).toMatchObject({ status: 'authenticated' });
    expect(await whoami()).toMatchObject({ structuredContent: { subject: 'alice' } });
    await client.close();
  });

  it('ends with the fifth wrong code, and its tokens are revoked', async () => {
    const { client, login } = await connectForwarded();
    const { code } = await startLogin(login, 'bob');
    const revoked = notes.next((event) => event.type === 'account.revoked');
    for (let tries = 1; tries <= 4; tries++) {
      expect(await login(wrong(code))).toMatchObject({
        isError: true,
        content: [{ text: expect.stringMatching(/read it again/) }],
      });
    }
    expect((await login(wrong(code))).content[0]?.text).toContain(
      'A wrong confirmation code was entered too often',
    );
    expect(await revoked).toMatchObject({ revocation: 'confirmed' });
    expect((await login(code)).isError).toBe(true);
    await client.close();
  });

  it('shows the code only to the browser that finished it, and reveals to no other session whether a code is right [security 45]', async () => {
    const { client, login } = await connectForwarded();
    const { structuredContent } = await login();
    const browser = new Browser();
    const page = await browser.logIn(structuredContent?.loginUrl ?? '', 'dora');
    const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)?.[0] ?? '';
    const name = browser.cookieNames().find((cookie) => cookie.startsWith('mcp-login-code-')) ?? '';
    expect(code).not.toBe('');
    for (const guess of [code, `${code}.`, `${code}.AAAA`, wrong(code)]) {
      const answer = await fetch(page.url, { headers: { cookie: `${name}=${guess}` } });
      expect(answer.status).toBe(404);
      expect(await answer.text()).not.toContain(code);
    }
    expect((await login(code)).structuredContent).toMatchObject({ status: 'authenticated' });
    await client.close();
  });

  it('is not completed by another session that presents the code', async () => {
    const victim = await connectForwarded();
    const attacker = await connectForwarded();
    const { code } = await startLogin(victim.login, 'carol');
    await attacker.login();
    expect((await attacker.login(code)).isError).toBe(true);
    expect(await attacker.whoami()).toMatchObject({ isError: true });
    expect((await victim.login(code)).structuredContent).toMatchObject({ status: 'authenticated' });
    await victim.client.close();
    await attacker.client.close();
  });
});

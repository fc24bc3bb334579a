import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Browser } from '../support/browser.js';
import {
  connectEliciting,
  ELICITING_KINDS,
  type ElicitingClient,
  type ElicitingKind,
  type OpenAddress,
} from '../support/eliciting-clients.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { client2026, connect2025, logIn, messageOf, request2026, send } from '../support/raw-mcp.js';

let notes: InProcessNotes;

beforeAll(async () => {
  // The clock does not move, so that a call that waits for a time would never return.
  notes = await startInProcessNotes({ runtime: { clock: new VirtualClock() } });
});

afterAll(() => notes.close());

/** Runs with a client of that kind, and closes it in any case. */
async function withClient(
  kind: ElicitingKind,
  open: OpenAddress,
  run: (client: ElicitingClient) => Promise<void>,
): Promise<void> {
  const client = await connectEliciting(kind, notes.mcp, open);
  try {
    await run(client);
  } finally {
    await client.close();
  }
}

/** A client that accepts elicitation at once, while its user logs in. @returns also the links that it opened */
function openingAs(name: string): [OpenAddress, Promise<unknown>[]] {
  const opened: Promise<unknown>[] = [];
  const open: OpenAddress = async ({ url }) => {
    opened.push(new Browser().logIn(url, name));
    return 'accept';
  };
  return [open, opened];
}

describe.each(ELICITING_KINDS)('a client with URL elicitation (%s)', (kind) => {
  it('gets elicitation with the link, and is logged in by the same call', async () => {
    const asked: string[] = [];
    const open: OpenAddress = async ({ message, url }) => {
      asked.push(message, new URL(url).pathname);
      await new Browser().logIn(url, 'alice');
      return 'accept';
    };
    await withClient(kind, open, async (client) => {
      const answer = await client.call('login');
      expect(answer.structured).toMatchObject({ status: 'authenticated', account: { subject: 'alice' } });
      expect(asked).toEqual([
        expect.stringMatching(/log in to sample/i),
        expect.stringMatching(/^\/connect\//),
      ]);
      expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    });
  });

  it('is logged in by the same call when its user is slow', async () => {
    const [open, opened] = openingAs('bob');
    await withClient(kind, open, async (client) => {
      expect((await client.call('login')).structured).toMatchObject({ account: { subject: 'bob' } });
      expect(await Promise.all(opened)).toHaveLength(1);
    });
  });

  it('gets the link and no further elicitation when its user declines', async () => {
    const asked: string[] = [];
    const open: OpenAddress = async ({ url }) => {
      asked.push(url);
      return 'decline';
    };
    await withClient(kind, open, async (client) => {
      const declined = await client.call('login');
      expect(declined).toMatchObject({
        isError: false,
        structured: { status: 'pending', loginUrl: asked[0] },
      });
      expect((await client.call('session_status')).structured).toMatchObject({ state: 'pending' });
      expect((await client.call('login')).structured).toMatchObject({ loginUrl: asked[0] });
      expect(asked).toHaveLength(1);
      await new Browser().logIn(asked[0] ?? '', 'dora');
      expect((await client.call('login')).structured).toMatchObject({ account: { subject: 'dora' } });
    });
  });

  it('gets the link when its user dismisses the prompt', async () => {
    await withClient(
      kind,
      async () => 'cancel',
      async (client) => {
        const { structured } = await client.call('login');
        expect(structured).toMatchObject({
          status: 'pending',
          loginUrl: expect.stringContaining('/connect/'),
        });
      },
    );
  });

  it('gets the reason from the same call when its user declines on the connect page', async () => {
    const open: OpenAddress = async ({ url }) => {
      const browser = new Browser();
      await browser.submit(await browser.open(url), { action: 'decline' });
      return 'accept';
    };
    await withClient(kind, open, async (client) => {
      expect(await client.call('login')).toMatchObject({
        isError: true,
        text: expect.stringMatching(/declined/),
      });
    });
  });

  it('gets the reason from the same call when its user cancels at the provider', async () => {
    const open: OpenAddress = async ({ url }) => {
      const browser = new Browser();
      const provider = await browser.submit(await browser.open(url), { action: 'continue' });
      await browser.submit(provider, { cancel: 'yes' });
      return 'accept';
    };
    await withClient(kind, open, async (client) => {
      expect(await client.call('login')).toMatchObject({
        isError: true,
        text: expect.stringMatching(/declined/),
      });
    });
  });

  it('gets no elicitation when it is logged in', async () => {
    const [open, opened] = openingAs('carol');
    await withClient(kind, open, async (client) => {
      await client.call('login');
      expect((await client.call('login')).structured).toMatchObject({ account: { subject: 'carol' } });
      expect(await Promise.all(opened)).toHaveLength(1);
    });
  });
});

it('simultaneous clients of all kinds get elicitation for their own login', async () => {
  await Promise.all(
    [...ELICITING_KINDS, ...ELICITING_KINDS, ...ELICITING_KINDS].map(async (kind, index) => {
      const name = `user-${index}`;
      const [open, opened] = openingAs(name);
      await withClient(kind, open, async (client) => {
        expect((await client.call('login')).structured).toMatchObject({ account: { subject: name } });
        expect((await client.call('whoami')).structured).toMatchObject({ subject: name });
        expect(await Promise.all(opened)).toHaveLength(1);
      });
    }),
  );
});

describe('[security 16] the request state of a login', () => {
  const capabilities = { elicitation: { url: {} } };
  const parkedSchema = z.object({
    requestState: z.string(),
    inputRequests: z.object({ login: z.object({ params: z.object({ url: z.string() }) }) }),
  });

  async function round(params: Record<string, unknown>, tool = 'login') {
    const request = request2026('tools/call', { name: tool, arguments: {}, ...params }, { capabilities });
    const { result, error } = messageOf(await send(notes.mcp, request));
    return result ?? { isError: true, content: [{ text: error?.message }], structuredContent: {} };
  }

  /** The first round of a login: the response has the elicitation. */
  async function started(args: Record<string, unknown> = {}) {
    const { requestState, inputRequests } = parkedSchema.parse(await round({ arguments: args }));
    return { requestState, url: inputRequests.login.params.url };
  }
  const accepted = { inputResponses: { login: { action: 'accept' } } };
  const refused = { isError: true, content: [{ text: expect.stringMatching(/requestState/) }] };

  it('completes the login when it is returned unchanged', async () => {
    const { requestState, url } = await started();
    await new Browser().logIn(url, 'alice');
    const { structuredContent } = await round({ ...accepted, requestState });
    expect(structuredContent).toMatchObject({ status: 'authenticated', account: { subject: 'alice' } });
  });

  it('is opaque', async () => {
    const { requestState, url } = await started();
    const id = new URL(url).pathname.split('/').at(-1)!;
    const bytes = Buffer.from(requestState, 'base64url').toString('latin1');
    for (const part of [id, 'round', 'handle', 'login']) expect(bytes).not.toContain(part);
  });

  it('is refused when any part of it was changed', async () => {
    const { requestState, url } = await started();
    await new Browser().logIn(url, 'alice');
    const bytes = Buffer.from(requestState, 'base64url');
    for (const index of [0, 31, 32, 33, 44, 45, 60, bytes.length - 17, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
      expect(await round({ ...accepted, requestState: changed.toString('base64url') })).toMatchObject(
        refused,
      );
    }
    for (const state of [
      bytes.subarray(0, -1).toString('base64url'),
      requestState.slice(0, 60),
      'x',
      '',
      '{}',
    ]) {
      expect((await round({ ...accepted, requestState: state })).structuredContent.status).not.toBe(
        'authenticated',
      );
    }
    expect((await round({ ...accepted, requestState })).structuredContent).toMatchObject({
      status: 'authenticated',
    });
  });

  it('is refused when it is used a second time', async () => {
    const { requestState, url } = await started();
    await new Browser().logIn(url, 'alice');
    await round({ ...accepted, requestState });
    expect(await round({ ...accepted, requestState })).toMatchObject(refused);
    const other = await started();
    const declined = { inputResponses: { login: { action: 'decline' } } };
    await round({ ...declined, requestState: other.requestState });
    expect(await round({ ...accepted, requestState: other.requestState })).toMatchObject(refused);
  });

  it('is accepted for one of two simultaneous uses', async () => {
    const { requestState, url } = await started();
    await new Browser().logIn(url, 'alice');
    const results = await Promise.all([1, 2].map(() => round({ ...accepted, requestState })));
    expect(
      results.filter(({ structuredContent }) => structuredContent.status === 'authenticated'),
    ).toHaveLength(1);
  });

  it('is refused with other arguments or another session', async () => {
    const { secret } = await logIn(client2026(notes.mcp), new Browser(), 'bob');
    for (const args of [{ provider: 'sample' }, { code: 'AAAA-AAAA' }, { session: secret }]) {
      const { requestState } = await started();
      expect(await round({ ...accepted, arguments: args, requestState })).toMatchObject(refused);
    }
    const pending = client2026(notes.mcp);
    await pending.call('login');
    const { requestState } = await started({ session: pending.secret });
    expect(await round({ ...accepted, requestState })).toMatchObject(refused);
  });

  it('is refused for another tool', async () => {
    const { requestState, url } = await started();
    await new Browser().logIn(url, 'alice');
    for (const tool of ['whoami', 'list_notes', 'session_status', 'logout']) {
      const { structuredContent } = await round({ ...accepted, requestState }, tool);
      expect(JSON.stringify(structuredContent)).not.toContain('alice');
    }
  });

  it('is ignored from 2025 clients', async () => {
    const { requestState, url } = await started();
    await new Browser().logIn(url, 'alice');
    const connection = await connect2025(notes.mcp);
    const { text } = await connection.call('login', { requestState, ...accepted });
    expect(text).not.toContain('alice');
  });
});

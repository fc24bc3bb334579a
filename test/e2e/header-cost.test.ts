import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cost, cpuCost, isTooExpensive } from '../fuzz/resource-limits.js';
import { FILLINGS, READ_HEADERS } from '../fuzz/wide-requests.js';
import { createBareServer } from '../support/bare-server.js';
import { request2026, send } from '../support/raw-mcp.js';

const sessions = createBareServer(() => undefined, { publicUrl: undefined });
let url = '';
beforeAll(async () => {
  ({ url } = await sessions.listen({ port: 0 }));
});
afterAll(() => sessions.close());

/** The maximum length of headers, less some for other headers. */
const LENGTH = 15_000;
/** Distinct characters: encoding them as a host name takes quadratic time. */
const DISTINCT = Array.from({ length: LENGTH / 9 }, (_, at) =>
  encodeURIComponent(String.fromCodePoint(0x4e00 + at)),
).join('');
const HEADERS = ['host', 'authorization', ...READ_HEADERS];
const wide = (filling: string) => `x${filling.repeat(LENGTH / filling.length)}x`;

/** The CPU cost of a request. The strict limit of refused requests applies, because the server reads headers first. */
async function costOf(target: string, headers: Record<string, string>): Promise<Cost> {
  const { body = '', headers: usual } = request2026('tools/list', {});
  const answered = async () => {
    const { text } = await send(target, { method: 'POST', headers: { ...usual, ...headers }, body });
    return { status: 400, headers: {}, text, end: 'complete' } as const;
  };
  const usedCpuMs = async () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  return cpuCost(answered, usedCpuMs);
}

it.each(HEADERS)('the header %s costs little CPU with any content [security 40]', async (name) => {
  for (const filling of [...FILLINGS, DISTINCT]) {
    const cost = await costOf(url, { [name]: wide(filling) });
    expect(isTooExpensive(cost), `${filling.slice(0, 20)}: ${cost.cpuMs} ms`).toBe(false);
  }
});

it.each(['/', '/connect/', '/callback?state=', '/.well-known/', '/mcp?'])(
  'a request target that begins with %s costs little CPU [security 40]',
  async (beginning) => {
    for (const filling of [...FILLINGS, '/../', '&', 'a=b&'].filter((each) => !/\s/.test(each))) {
      const target = new URL(url).origin + beginning + filling.repeat(LENGTH / filling.length);
      const cost = await costOf(target, {});
      expect(isTooExpensive(cost), `${filling}: ${cost.cpuMs} ms`).toBe(false);
    }
  },
);

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  MAX_CLAIMS_BYTES,
  MAX_DEMANDED_SCOPES,
  MAX_SCOPE_LENGTH,
} from '../packages/sessions/src/account/challenge.js';
import { STATE_LIMITS } from '../packages/sessions/src/account/session-state.js';
import { MAX_BODIES_BYTES } from '../packages/sessions/src/http/body/body-memory-limit.js';
import {
  MAX_JSON_DEPTH,
  MAX_JSON_ELEMENTS,
  MAX_MESSAGE_ELEMENTS,
} from '../packages/sessions/src/http/http-limits.js';
import { MAX_KNOWN_HOST_CHARACTERS, MAX_KNOWN_HOSTS } from '../packages/sessions/src/http/known-hosts.js';
import { MAX_UNREAD_BYTES } from '../packages/sessions/src/http/unread-response-limit.js';
import { DEFAULT_LIMITS } from '../packages/sessions/src/limits/limits.js';
import type { MemoryQuotaLimits } from '../packages/sessions/src/limits/memory-quota.js';
import {
  MAX_ISSUED,
  MAX_ISSUED_PER_SESSION,
  MAX_USED_PER_ISSUER,
} from '../packages/sessions/src/limits/one-time-store.js';
import {
  MAX_KNOWN_ENVELOPE_CHARACTERS,
  MAX_KNOWN_ENVELOPES,
} from '../packages/sessions/src/mcp/plain-tools/plain-call.js';
import {
  CALL_BYTES,
  CALL_LIMITS,
  CLIENT_INFO_LIMITS,
  EVENT_LIMITS,
  MAX_SUBSCRIPTIONS,
  MAX_URI_CHARACTERS,
  SUBSCRIPTION_LIMITS,
} from '../packages/sessions/src/mcp/request/client-memory-limits.js';
import { MAX_ID_CHARACTERS } from '../packages/sessions/src/mcp/wire/json-rpc.js';
import { MAX_IDENTITY_LENGTH } from '../packages/sessions/src/provider/id-token.js';
import { MAX_SESSION_LENGTH } from '../packages/sessions/src/provider/identity.js';
import { MAX_FIELDS } from '../packages/sessions/src/provider/option-schema.js';
import { MAX_FIELD_LENGTH } from '../packages/sessions/src/provider/shown-fields.js';
import {
  MAX_GRANTED_SCOPE_LENGTH,
  MAX_GRANTED_SCOPES,
} from '../packages/sessions/src/provider/token-response.js';
import { MAX_END_REASONS } from '../packages/sessions/src/store/table/session-table.js';

const KIB = 1024;
const MIB = 1024 * KIB;

const url = new URL('../docs/limits.md', import.meta.url);
const rows = readFileSync(url, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim()))
  // The table of what clients make a node keep has fewer columns.
  .filter((row) => row.length > 5);

describe('docs/limits.md', () => {
  it.each(Object.entries(DEFAULT_LIMITS))('says what %s is by default: %i', (option, value) => {
    const [row] = rows.filter(([, , , , , changedBy]) => changedBy === `\`${option}\``);
    expect(row?.[2]).toMatch(new RegExp(`^${value.toLocaleString('en')}\\b`));
  });

  it.each<[string, number]>([
    ['body of an MCP request', MAX_JSON_DEPTH],
    [
      'array elements and object keys of a request or notification, except in tool arguments',
      MAX_MESSAGE_ELEMENTS,
    ],
    ['array elements and object keys of a batch or a response, except in tool arguments', MAX_JSON_ELEMENTS],
    ['client information and capabilities in `initialize`', CLIENT_INFO_LIMITS.maxBytes / KIB],
    [
      'client information and capabilities, what exceeds 2 KiB in memory',
      CLIENT_INFO_LIMITS.sharedBytes / MIB,
    ],
    ['resources that a client subscribes to', MAX_URI_CHARACTERS],
    ['resources that a client subscribes to', MAX_SUBSCRIPTIONS],
    ['resources that a client subscribes to', SUBSCRIPTION_LIMITS.maxBytes / KIB],
    [
      'resources that a client subscribes to, what exceeds 512 bytes in memory',
      SUBSCRIPTION_LIMITS.sharedBytes / MIB,
    ],
    ['events that can be resumed', EVENT_LIMITS.maxBytes / KIB],
    ['unread bytes of all answers and streams', MAX_UNREAD_BYTES / MIB],
    ['request id and progress token', MAX_ID_CHARACTERS],
    ['reasons of ended sessions that are remembered', MAX_END_REASONS],
    ['hosts of requests that are remembered', MAX_KNOWN_HOSTS],
    ['hosts of requests that are remembered', MAX_KNOWN_HOST_CHARACTERS],
    ['client information and capabilities of 2026 requests that are remembered', MAX_KNOWN_ENVELOPES],
    [
      'client information and capabilities of 2026 requests that are remembered',
      MAX_KNOWN_ENVELOPE_CHARACTERS,
    ],
    ['fields of a token response or a callback that tools see (`tokenFields`, `callbackFields`)', MAX_FIELDS],
    [
      'fields of a token response or a callback that tools see (`tokenFields`, `callbackFields`)',
      MAX_FIELD_LENGTH,
    ],
    ['scopes and claims that an API demands of a login', MAX_DEMANDED_SCOPES],
    ['scopes and claims that an API demands of a login', MAX_SCOPE_LENGTH],
    ['scopes and claims that an API demands of a login', MAX_CLAIMS_BYTES],
    ['scopes that a provider grants', MAX_GRANTED_SCOPES],
    ['scopes that a provider grants', MAX_GRANTED_SCOPE_LENGTH],
    ['identifier, `sub` and name of a user at the provider', MAX_IDENTITY_LENGTH],
    ["the name of the user's session at the provider (`sid`)", MAX_SESSION_LENGTH],
    ['used logout tokens that are remembered, as digests', MAX_USED_PER_ISSUER],
    ['states of calls that take several rounds', MAX_ISSUED_PER_SESSION],
    ['states of calls that take several rounds', MAX_ISSUED],
    ['state of a session (`session.state`)', STATE_LIMITS.maxBytes / KIB],
    ['state of all sessions', STATE_LIMITS.sharedBytes / 4 / MIB],
    ['state of all sessions', STATE_LIMITS.sharedBytes / MIB],
    ['requests whose handlers are running ⁹', CALL_LIMITS.sharedBytes / 4 / MIB],
    ['requests whose handlers are running ⁹', CALL_LIMITS.sharedBytes / MIB],
  ])('matches the code: %s (%i)', (limit, value) => {
    const [row] = rows.filter(([, what]) => what === limit);
    expect(row?.[2]).toMatch(new RegExp(`\\b${value.toLocaleString('en')}\\b`));
  });

  it('states the size with which a request in flight counts', () => {
    const text = readFileSync(url, 'utf8');
    expect(text).toContain(`2025 connection counts with ${CALL_BYTES.ofConnection / KIB} KiB`);
    expect(text).toContain(`its own server object, and counts with ${CALL_BYTES.byItself / KIB} KiB`);
  });

  it('links each limit to a test that exists', () => {
    for (const [, what = '', , , , , shownIn = ''] of rows) {
      const tests = [...shownIn.matchAll(/\]\(([^)]+)\)/g)].map(([, path = '']) => path);
      expect(tests, what).not.toEqual([]);
      for (const path of tests) expect(existsSync(new URL(path, url)), path).toBe(true);
    }
  });
});

describe('the table of what clients without a login make a node keep', () => {
  const SESSION_BYTES = 50 * KIB;
  const LISTEN_STREAMS = 4;
  const LISTEN_STREAMS_WITHOUT_SESSION = 500;
  const sessions = DEFAULT_LIMITS.anonymousSessions;
  const kept = ({ guaranteedBytes, sharedBytes }: MemoryQuotaLimits, shares: number) =>
    guaranteedBytes * shares + sharedBytes;
  const worst: readonly [what: string, bytes: number][] = [
    ['sessions: ', sessions * SESSION_BYTES],
    ['client information: ', kept(CLIENT_INFO_LIMITS, sessions)],
    [
      'subscriptions: ',
      kept(SUBSCRIPTION_LIMITS, sessions * (1 + LISTEN_STREAMS) + LISTEN_STREAMS_WITHOUT_SESSION),
    ],
    ['resumable events: ', kept(EVENT_LIMITS, sessions)],
    ['bodies being received, and', MAX_BODIES_BYTES],
    ['requests whose handlers are running', CALL_LIMITS.sharedBytes],
    ['unread answers and streams', MAX_UNREAD_BYTES],
  ];
  const lines = readFileSync(url, 'utf8').split('\n');
  const ofNode = (what: string) =>
    lines
      .find((line) => line.startsWith(`| ${what}`) && line.split('|').length === 5)
      ?.split('|')[3]
      ?.trim();

  it.each(worst)('has the figure of the constants in the code for %s [security 40]', (what, bytes) => {
    expect(ofNode(what)).toBe(`${Math.round(bytes / MIB)} MiB`);
  });

  it('adds up to less than 512 MiB [security 40]', () => {
    const figures = [...worst.map(([what]) => ofNode(what)), ofNode('pending and failed logins')].map(
      (figure) => Number.parseInt(figure ?? '', 10),
    );
    const sum = figures.reduce((total, figure) => total + figure, 0);
    expect(ofNode('**in all**')).toBe(`**${sum} MiB**`);
    expect(sum).toBeLessThan(512);
  });
});

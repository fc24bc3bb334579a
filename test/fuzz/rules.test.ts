import { describe, expect, it } from 'vitest';
import type { Blueprint } from './blueprint.js';
import { canaryOf, TOKEN_PREFIX, visitorOf } from './canaries.js';
import type { Answer } from './client.js';
import { brokenRule, passedGuards } from './rules.js';

const SECRETS = ['a secret of member 0', 'a secret of member 1'];
const REQUEST: Blueprint = { kind: 'any', method: 'POST', path: '/mcp', headers: [], owner: 0 };
const ANSWER: Answer = { status: 200, headers: {}, text: '', end: 'complete' };

const judge = (answer: Partial<Answer>, request: Partial<Blueprint> = {}) =>
  brokenRule({ ...REQUEST, ...request }, { ...ANSWER, ...answer }, SECRETS);

describe('brokenRule reports', () => {
  it.each<[string, Partial<Answer>]>([
    ['a 500', { status: 500 }],
    ['a 503 in open access, where limits are not reached', { status: 503, headers: { 'retry-after': '1' } }],
    ['a failure of the server under another status', { text: 'The server failed to process the request.' }],
    ['an error of JavaScript in the result of a tool', { text: 'Cannot read properties of undefined' }],
    ['a connection that breaks', { status: 0, end: 'broken' }],
    ['an answer that never comes', { status: 0, end: 'hung' }],
    ['the canary of another member', { text: `hello ${canaryOf(1)}` }],
    ['the canary of another member in a header', { headers: { location: `/${canaryOf(1)}` } }],
    ['the secret of another member', { text: SECRETS[1]! }],
    ['a token of the provider, even the owner’s', { text: `${TOKEN_PREFIX}${canaryOf(0)}` }],
  ])('%s', (_, answer) => {
    expect(judge(answer)).toBeDefined();
  });

  it('the user of another login', () => {
    expect(judge({ text: visitorOf(11) }, { visitor: 1 })).toBeDefined();
    expect(judge({ text: `${canaryOf(0)} ${visitorOf(11)}` }, { showsOwner: true })).toBeDefined();
    expect(judge({ text: visitorOf(11) }, { visitor: 11 })).toBeUndefined();
  });

  it('a response that does not name the required member', () => {
    expect(judge({ text: '[]' }, { showsOwner: true })).toBeDefined();
    expect(judge({ text: canaryOf(0) }, { showsOwner: true })).toBeUndefined();
  });
});

describe('brokenRule accepts', () => {
  it.each<[string, Partial<Answer>, Partial<Blueprint>]>([
    ['a refusal', { status: 404 }, {}],
    ['the owner’s canary', { text: canaryOf(0) }, {}],
    ['the owner’s secret', { text: SECRETS[0]! }, {}],
    ['an answer that the client gave up', { status: 0, end: 'cut' }, {}],
    ['a large body that the server does not read', { end: 'broken' }, { body: 'x'.repeat(1_000_000) }],
    ['an answer that quotes its request', { text: SECRETS[1]! }, { body: SECRETS[1]! }],
  ])('%s', (_, answer, request) => {
    expect(judge(answer, request)).toBeUndefined();
  });
});

it('passedGuards recognizes responses from behind the guards', () => {
  expect(passedGuards({ ...ANSWER, status: 404, text: 'Session not found' })).toBe(true);
  expect(
    passedGuards({
      ...ANSWER,
      status: 403,
      text: 'This server does not accept requests from pages of that origin.',
    }),
  ).toBe(false);
  expect(passedGuards({ ...ANSWER, status: 400 })).toBe(false);
  expect(passedGuards({ ...ANSWER, status: 413, text: 'The request is larger' })).toBe(false);
});

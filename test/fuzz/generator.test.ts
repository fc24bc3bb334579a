import { expect, it } from 'vitest';
import type { Blueprint } from './blueprint.js';
import { Generator } from './generator.js';

const SEED = 1;
const REQUESTS = 2500;

function requestsOf(seed: number): Blueprint[] {
  const generator = new Generator(seed);
  return Array.from({ length: REQUESTS }, (_, number) => generator.request(number));
}

it('generates the same requests for the same seed only', () => {
  expect(requestsOf(SEED)).toEqual(requestsOf(SEED));
  expect(requestsOf(SEED + 1)).not.toEqual(requestsOf(SEED));
});

it('generates a request independently of earlier ones', () => {
  expect(new Generator(SEED).request(REQUESTS - 1)).toEqual(requestsOf(SEED).at(-1));
});

it('shares no batch between adjacent seeds', () => {
  const firstOf = (seed: number) => [0, 1000, 2000].map((number) => new Generator(seed).request(number));
  const all = [SEED - 1, SEED, SEED + 1].flatMap(firstOf).map((request) => JSON.stringify(request));
  expect(new Set(all).size).toBe(all.length);
});

it('generates no request that logs a member in or out or ends its connection', () => {
  const naming = requestsOf(SEED).filter(({ owner }) => owner !== undefined);
  expect(naming.length).toBeGreaterThan(REQUESTS / 10);
  const disruptive = naming.filter(
    ({ method, body = '' }) => method === 'DELETE' || /"log(in|out)"/.test(body),
  );
  expect(disruptive).toEqual([]);
});

it('names a member only in requests that may show its canary or have no access', () => {
  const kinds = new Set(
    requestsOf(SEED)
      .filter(({ owner, ...request }) => owner === undefined && JSON.stringify(request).includes('<<member:'))
      .map(({ kind }) => kind),
  );
  expect([...kinds].sort()).toEqual(['2025 wrong id', '2026 wrong handle']);
});

it('generates only texts that an HTTP client can send', () => {
  const all = requestsOf(SEED).flatMap((request) => [request, ...Object.values(request.steps ?? {})]);
  const unsendable = all.filter(({ method, headers }) => {
    const areSendable = headers.every(
      ([name, value]) => /^[a-z-]+$/.test(name) && /^[\t\x20-\xff]*$/.test(value),
    );
    return !areSendable || !/^[A-Z]+$/.test(method);
  });
  expect(unsendable).toEqual([]);
});

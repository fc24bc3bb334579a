import { expect, it } from 'vitest';
import type { Blueprint } from './blueprint.js';
import { Generator } from './generator.js';

const SEED = 1;
const REQUESTS = 2500;

function requestsOf(seed: number): Blueprint[] {
  const generator = new Generator(seed);
  return Array.from({ length: REQUESTS }, (_, number) => generator.request(number));
}

it('the same seed makes the same requests, another one others', () => {
  expect(requestsOf(SEED)).toEqual(requestsOf(SEED));
  expect(requestsOf(SEED + 1)).not.toEqual(requestsOf(SEED));
});

it('a request is the same whichever were made before', () => {
  expect(new Generator(SEED).request(REQUESTS - 1)).toEqual(requestsOf(SEED).at(-1));
});

it('no batch of a seed is a batch of the next seed', () => {
  const firstOf = (seed: number) => [0, 1000, 2000].map((number) => new Generator(seed).request(number));
  const all = [SEED - 1, SEED, SEED + 1].flatMap(firstOf).map((request) => JSON.stringify(request));
  expect(new Set(all).size).toBe(all.length);
});

it('no request logs a member in or out, or ends its connection', () => {
  const naming = requestsOf(SEED).filter(({ owner }) => owner !== undefined);
  expect(naming.length).toBeGreaterThan(REQUESTS / 10);
  const disruptive = naming.filter(
    ({ method, body = '' }) => method === 'DELETE' || /"log(in|out)"/.test(body),
  );
  expect(disruptive).toEqual([]);
});

it('a member is named only where its canary may be shown, or where its id opens nothing', () => {
  const kinds = new Set(
    requestsOf(SEED)
      .filter(({ owner, ...request }) => owner === undefined && JSON.stringify(request).includes('<<member:'))
      .map(({ kind }) => kind),
  );
  expect([...kinds].sort()).toEqual(['2025 wrong id', '2026 wrong handle']);
});

it('texts stay within what an HTTP client can send', () => {
  const all = requestsOf(SEED).flatMap((request) => [request, ...Object.values(request.steps ?? {})]);
  const unsendable = all.filter(({ method, headers }) => {
    const areSendable = headers.every(
      ([name, value]) => /^[a-z-]+$/.test(name) && /^[\t\x20-\xff]*$/.test(value),
    );
    return !areSendable || !/^[A-Z]+$/.test(method);
  });
  expect(unsendable).toEqual([]);
});

import { expect, it } from 'vitest';
import { andThen, sharedLoad } from './promises.js';

it('continues with an answer in the same tick, and with a promise of it later', async () => {
  const order: string[] = [];
  const note = (what: string) => (answer: number) => {
    order.push(what);
    return answer + 1;
  };
  const later = andThen(Promise.resolve(1), note('later'));
  expect(andThen(1, note('at once'))).toBe(2);
  expect(order).toEqual(['at once']);
  expect(await later).toBe(2);
  expect(order).toEqual(['at once', 'later']);
});

it('throws or rejects as the answer came', async () => {
  const fail = () => {
    throw new Error('no');
  };
  expect(() => andThen(1, fail)).toThrow('no');
  await expect(andThen(Promise.resolve(1), fail)).rejects.toThrow('no');
  await expect(andThen(Promise.reject(new Error('lost')), fail)).rejects.toThrow('lost');
});

it('loads once for all calls, and again after an error', async () => {
  let loads = 0;
  const load = sharedLoad(async () => {
    await Promise.resolve();
    if (++loads === 1) throw new Error('too many open files');
    return loads;
  });
  const both = [load(), load()];
  await expect(both[0]).rejects.toThrow('too many open files');
  await expect(both[1]).rejects.toThrow('too many open files');
  expect(await Promise.all([load(), load()])).toEqual([2, 2]);
  expect(await load()).toBe(2);
});

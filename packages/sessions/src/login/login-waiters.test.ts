import { describe, expect, it } from 'vitest';
import { attemptOf } from '../../../../test/contracts/attempt-store-contract.js';
import { LocalMessages } from '../store/local-messages.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import type { PendingAttempt } from './attempt-record.js';
import { LoginWaiters, topicOf } from './login-waiters.js';

const MAX_PER_LOGIN = 20;
const MAX_PER_CLIENT = 500;
const LONG_MS = 60_000;

function setUp() {
  const clock = new VirtualClock();
  const messages = new LocalMessages();
  const waiters = new LoginWaiters(messages, clock);
  let settled = 0;
  const wait = (attempt: PendingAttempt, signal = new AbortController().signal) => {
    void waiters.wait(attempt, LONG_MS, signal).then(() => settled++);
  };
  /** The waits that have ended so far. */
  const ended = async () => {
    await clock.advance(0);
    return settled;
  };
  return { clock, messages, waiters, wait, ended };
}

describe('calls that wait for a login', () => {
  it('are woken by a message about that login, and keep nothing', async () => {
    const { clock, messages, wait, ended } = setUp();
    const [one, another] = [attemptOf('one'), attemptOf('another')];
    wait(one);
    wait(one);
    messages.publish(topicOf(another.key));
    expect(await ended()).toBe(0);
    messages.publish(topicOf(one.key));
    expect(await ended()).toBe(2);
    expect([messages.size, clock.timers]).toEqual([0, 0]);
  });

  it('end without a message after their time, or when the client cancels', async () => {
    const { clock, messages, wait, ended } = setUp();
    const over = new AbortController();
    wait(attemptOf('one'), over.signal);
    wait(attemptOf('one'));
    over.abort();
    expect(await ended()).toBe(1);
    wait(attemptOf('one'), over.signal);
    expect(await ended()).toBe(2);
    await clock.advance(LONG_MS);
    expect(await ended()).toBe(3);
    expect([messages.size, clock.timers]).toEqual([0, 0]);
  });

  it('are twenty at most for one login; a further one does not wait [security 41]', async () => {
    const { waiters, wait, ended, messages } = setUp();
    const attempt = attemptOf('one');
    for (let count = 0; count < MAX_PER_LOGIN; count++) wait(attempt);
    expect(waiters.canWait(attempt)).toBe(false);
    wait(attempt);
    expect(await ended()).toBe(1);
    expect(waiters.canWait(attemptOf('another'))).toBe(true);
    messages.publish(topicOf(attempt.key));
    expect(await ended()).toBe(MAX_PER_LOGIN + 1);
    expect(waiters.canWait(attempt)).toBe(true);
  });

  it('are five hundred at most of one user or address [security 41]', () => {
    const { waiters, wait } = setUp();
    for (let count = 0; count < MAX_PER_CLIENT; count++)
      wait(attemptOf(`${count % 100}`, { quotaKey: 'client' }));
    expect(waiters.canWait(attemptOf('new', { quotaKey: 'client' }))).toBe(false);
    expect(waiters.canWait(attemptOf('new', { quotaKey: 'another' }))).toBe(true);
  });

  it('end when the server closes, and do not begin any more', async () => {
    const { waiters, wait, ended } = setUp();
    wait(attemptOf('one'));
    waiters.close();
    expect(await ended()).toBe(1);
    wait(attemptOf('one'));
    expect(await ended()).toBe(2);
  });
});

import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { digestOf } from '../vault/secret-digest.js';
import { FAILED_LOGIN_KEPT_MS, FailedLogins } from './failed-logins.js';

const MAX_FAILED_LOGINS = 4096;

function setUp() {
  const clock = new VirtualClock();
  const ended = new FailedLogins(clock);
  /** A login that a browser with that cookie took to the provider, and that then expired. */
  const add = (id: string) =>
    ended.add(
      {
        id,
        lastTrip: { stateDigest: digestOf(`state of ${id}`), cookieDigest: digestOf(`cookie of ${id}`) },
      },
      'expired',
    );
  const found = (id: string) => [
    ended.failureOf(id),
    ended.failureAfter(`state of ${id}`, (link) => (link === digestOf(id) ? `cookie of ${id}` : undefined)),
  ];
  return { clock, ended, add, found };
}

const TOLD = ['expired', 'expired'];
const FORGOTTEN = [undefined, undefined];

describe('what is remembered of logins that failed', () => {
  it('is found by the link, and by the state with its cookie', () => {
    const { ended, add, found } = setUp();
    add('one');
    expect(found('one')).toEqual(TOLD);
    expect(found('another')).toEqual(FORGOTTEN);
    expect(ended.failureAfter('state of one', () => undefined)).toBeUndefined();
    expect(ended.failureAfter('state of one', () => 'cookie of another')).toBeUndefined();
  });

  it('has only a link where no browser agreed', () => {
    const { ended } = setUp();
    ended.add({ id: 'one', lastTrip: undefined }, 'crowded_out');
    expect(ended.failureOf('one')).toBe('crowded_out');
    expect(ended.failureAfter('', () => '')).toBeUndefined();
  });

  it('is forgotten after ten minutes', async () => {
    const { clock, add, found } = setUp();
    add('one');
    await clock.advance(FAILED_LOGIN_KEPT_MS - 1);
    expect(found('one')).toEqual(TOLD);
    await clock.advance(1);
    expect(found('one')).toEqual(FORGOTTEN);
  });

  it('is forgotten before that when there are too many of them, the oldest first', () => {
    const { add, found } = setUp();
    for (let count = 0; count <= MAX_FAILED_LOGINS; count++) add(`${count}`);
    expect(found('0')).toEqual(FORGOTTEN);
    expect(found('1')).toEqual(TOLD);
    expect(found(`${MAX_FAILED_LOGINS}`)).toEqual(TOLD);
  });

  it('is gone when the server closes', () => {
    const { ended, add, found } = setUp();
    add('one');
    ended.clear();
    expect(found('one')).toEqual(FORGOTTEN);
  });
});

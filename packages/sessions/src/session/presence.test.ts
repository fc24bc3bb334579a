import { describe, expect, it } from 'vitest';
import type { SessionRef } from './ids.js';
import { PresenceBook } from './presence.js';

// The brand is given by `ids` only; here any text will do.
const ref = 'one' as SessionRef;
const other = 'other' as SessionRef;

describe('the presence of a client', () => {
  it('is the number of its streams that are open', () => {
    const book = new PresenceBook();
    expect(book.of(ref)).toEqual({ openStreams: 0 });
    book.opened(ref);
    book.opened(ref);
    expect(book.of(ref)).toEqual({ openStreams: 2 });
    book.closed(ref, 'client', 5);
    expect(book.of(ref)).toEqual({ openStreams: 1 });
    expect(book.of(other)).toEqual({ openStreams: 0 });
  });

  it('ends with its last stream; only if it closed that itself, it has disconnected [security 36]', () => {
    const book = new PresenceBook();
    book.opened(ref);
    book.closed(ref, 'client', 5);
    expect(book.of(ref)).toEqual({ openStreams: 0, lastStreamAtMs: 5, disconnectedAtMs: 5 });
    book.opened(ref);
    expect(book.of(ref)).toEqual({ openStreams: 1 });
    book.closed(ref, 'server', 9);
    expect(book.of(ref)).toEqual({ openStreams: 0, lastStreamAtMs: 9, disconnectedAtMs: undefined });
  });

  it('does not change with a stream that was never open', () => {
    const book = new PresenceBook();
    book.closed(ref, 'client', 5);
    expect(book.of(ref)).toEqual({ openStreams: 0 });
  });

  it('is forgotten with the session', () => {
    const book = new PresenceBook();
    book.opened(ref);
    book.forget(ref);
    expect(book.of(ref)).toEqual({ openStreams: 0 });
  });
});

import { describe, expect, it } from 'vitest';
import type { SessionRef } from './ids.js';
import { isPresent, SessionPresence } from './presence.js';

// The brand is given by `ids` only; here any text will do.
const ref = 'one' as SessionRef;
const other = 'other' as SessionRef;
const ABSENT = { openStreams: 0, requests: 0 };

describe('the presence of a client', () => {
  it('is the number of its open streams and of its requests that wait for their answers', () => {
    const book = new SessionPresence();
    expect(book.of(ref)).toEqual(ABSENT);
    expect(isPresent(book.of(ref))).toBe(false);
    book.streamOpened(ref);
    book.streamOpened(ref);
    book.requestBegan(ref);
    expect(book.of(ref)).toEqual({ openStreams: 2, requests: 1 });
    book.streamClosed(ref, 'client', 5);
    book.streamClosed(ref, 'server', 5);
    expect(book.of(ref)).toMatchObject({ openStreams: 0, requests: 1 });
    expect(isPresent(book.of(ref))).toBe(true);
    book.requestEnded(ref, 'server', 6);
    expect(isPresent(book.of(ref))).toBe(false);
    expect(book.of(other)).toEqual(ABSENT);
  });

  it('ends with its last stream; only if it closed that itself, it has disconnected [security 36]', () => {
    const book = new SessionPresence();
    book.streamOpened(ref);
    book.streamClosed(ref, 'client', 5);
    expect(book.of(ref)).toEqual({ ...ABSENT, presentUntilMs: 5, disconnectedAtMs: 5 });
    book.streamOpened(ref);
    expect(book.of(ref)).toEqual({ openStreams: 1, requests: 0 });
    book.streamClosed(ref, 'server', 9);
    expect(book.of(ref)).toEqual({ ...ABSENT, presentUntilMs: 9, disconnectedAtMs: undefined });
  });

  it('ends with the answer to its last request, and then its lost stream was no disconnect [security 36]', () => {
    const book = new SessionPresence();
    book.streamOpened(ref);
    book.requestBegan(ref);
    book.streamClosed(ref, 'client', 5);
    expect(book.of(ref)).toMatchObject({ requests: 1, disconnectedAtMs: 5 });
    book.requestEnded(ref, 'server', 9);
    expect(book.of(ref)).toEqual({ ...ABSENT, presentUntilMs: 9, disconnectedAtMs: undefined });
  });

  it('ends with a request that its client has given up, and then its lost stream was one [security 36]', () => {
    const book = new SessionPresence();
    book.streamOpened(ref);
    book.requestBegan(ref);
    book.streamClosed(ref, 'client', 5);
    book.requestEnded(ref, 'client', 9);
    expect(book.of(ref)).toEqual({ ...ABSENT, presentUntilMs: 9, disconnectedAtMs: 5 });
  });

  it('does not change when an unknown stream or request ends', () => {
    const book = new SessionPresence();
    book.streamClosed(ref, 'client', 5);
    book.requestEnded(ref, 'client', 5);
    expect(book.of(ref)).toEqual(ABSENT);
  });

  it('is forgotten with the session', () => {
    const book = new SessionPresence();
    book.streamOpened(ref);
    book.requestBegan(ref);
    book.forget(ref);
    expect(book.of(ref)).toEqual(ABSENT);
  });
});

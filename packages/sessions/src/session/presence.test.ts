import { describe, expect, it } from 'vitest';
import {
  ABSENT,
  clientLeft,
  isPresent,
  type Presence,
  requestBegan,
  requestEnded,
  type StreamCloser,
  streamClosed,
  streamOpened,
} from './presence.js';

/** The presence of one client, to which one thing after the other happens. */
class Book {
  now: Presence = ABSENT;

  streamOpened(): void {
    this.now = streamOpened(this.now);
  }

  streamClosed(by: StreamCloser, atMs: number): void {
    this.now = streamClosed(this.now, by, atMs);
  }

  requestBegan(): void {
    this.now = requestBegan(this.now);
  }

  requestEnded(by: StreamCloser, atMs: number): void {
    this.now = requestEnded(this.now, by, atMs);
  }
}

describe('the presence of a client', () => {
  it('is the number of its open streams and of its requests that wait for their answers', () => {
    const book = new Book();
    expect(book.now).toEqual(ABSENT);
    expect(isPresent(book.now)).toBe(false);
    book.streamOpened();
    book.streamOpened();
    book.requestBegan();
    expect(book.now).toEqual({ openStreams: 2, requests: 1 });
    book.streamClosed('client', 5);
    book.streamClosed('server', 5);
    expect(book.now).toMatchObject({ openStreams: 0, requests: 1 });
    expect(isPresent(book.now)).toBe(true);
    book.requestEnded('server', 6);
    expect(isPresent(book.now)).toBe(false);
  });

  it('ends with its last stream; only if it closed that itself, it has disconnected [security 36]', () => {
    const book = new Book();
    book.streamOpened();
    book.streamClosed('client', 5);
    expect(book.now).toEqual({ ...ABSENT, presentUntilMs: 5, disconnectedAtMs: 5 });
    book.streamOpened();
    expect(book.now).toEqual({ openStreams: 1, requests: 0 });
    book.streamClosed('server', 9);
    expect(book.now).toEqual({ ...ABSENT, presentUntilMs: 9, disconnectedAtMs: undefined });
  });

  it('ends with the answer to its last request, and then its lost stream was no disconnect [security 36]', () => {
    const book = new Book();
    book.streamOpened();
    book.requestBegan();
    book.streamClosed('client', 5);
    expect(book.now).toMatchObject({ requests: 1, disconnectedAtMs: 5 });
    book.requestEnded('server', 9);
    expect(book.now).toEqual({ ...ABSENT, presentUntilMs: 9, disconnectedAtMs: undefined });
  });

  it('ends with a request that its client has given up, and then its lost stream was one [security 36]', () => {
    const book = new Book();
    book.streamOpened();
    book.requestBegan();
    book.streamClosed('client', 5);
    book.requestEnded('client', 9);
    expect(book.now).toEqual({ ...ABSENT, presentUntilMs: 9, disconnectedAtMs: 5 });
  });

  it('does not change when an unknown stream or request ends', () => {
    const book = new Book();
    book.streamClosed('client', 5);
    book.requestEnded('client', 5);
    expect(book.now).toEqual(ABSENT);
  });

  it('has not ended for a client that says so and keeps a stream open [security 36]', () => {
    expect(clientLeft(ABSENT, 5)).toEqual({ ...ABSENT, disconnectedAtMs: 5 });
    expect(clientLeft(streamOpened(ABSENT), 5)).toEqual({ openStreams: 1, requests: 0 });
  });
});

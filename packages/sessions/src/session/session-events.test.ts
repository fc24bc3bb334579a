import { describe, expect, it } from 'vitest';
import type { SessionRef } from './ids.js';
import { type SessionEvent, SessionEvents } from './session-events.js';

// The brand is given by `ids` only; here any text will do.
const started: SessionEvent = { type: 'session.started', ref: 'one' as SessionRef, kind: 'connection' };
const refused: SessionEvent = { type: 'session.refused', reason: 'cap' };

describe('session events', () => {
  it('reach every listener in their order, before the emitter goes on', () => {
    const events = new SessionEvents(() => undefined);
    const heard: [string, SessionEvent][] = [];
    events.subscribe((event) => heard.push(['first', event]));
    events.subscribe((event) => heard.push(['second', event]));
    events.emit(started);
    events.emit(refused);
    expect(heard).toEqual([
      ['first', started],
      ['second', started],
      ['first', refused],
      ['second', refused],
    ]);
  });

  it('do not reach a listener that has unsubscribed', () => {
    const events = new SessionEvents(() => undefined);
    const heard: SessionEvent[] = [];
    const unsubscribe = events.subscribe((event) => heard.push(event));
    events.emit(started);
    unsubscribe();
    events.emit(refused);
    expect(heard).toEqual([started]);
  });

  it('reach the others although a listener throws, and what it throws is reported', () => {
    const errors: unknown[] = [];
    const events = new SessionEvents((error) => errors.push(error));
    const heard: SessionEvent[] = [];
    const failure = new Error('on purpose');
    events.subscribe(() => {
      throw failure;
    });
    events.subscribe((event) => heard.push(event));
    events.emit(started);
    expect(heard).toEqual([started]);
    expect(errors).toEqual([failure]);
  });
});

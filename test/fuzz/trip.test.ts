import { describe, expect, it } from 'vitest';
import type { Way } from './blueprint.js';
import type { Answer } from './client.js';
import { Trip } from './trip.js';

const HANDLE = 'h'.repeat(43);
const WAY: Way = { tool: 'login', provider: 'main', flow: 'link' };

const answer = (text: string, more: Partial<Answer> = {}): Answer => {
  return { status: 200, headers: {}, text, end: 'complete', ...more };
};
const html = { 'content-type': 'text/html' };
const redirect = (location: string): Answer => answer('', { status: 303, headers: { location } });

const BEGUN = answer(
  `{"status":"pending","loginUrl":"http://127.0.0.1:1/connect/abc","session":"${HANDLE}"}`,
);
const ASKED = answer('<input type="hidden" name="form" value="f">', {
  headers: { 'set-cookie': ['mcp-login-a=c; Path=/'] },
});
const SENT = redirect('http://127.0.0.1:2/authorize?state=s&x=y');
const FINISHED = answer(`{"status":"authenticated","session":"${HANDLE}"}`);

function take(trip: Trip, ...answers: readonly Answer[]): string[] {
  return answers.map((each) => {
    const step = trip.next(false);
    trip.leave(false);
    trip.arrive(false, each);
    return step;
  });
}

describe('a login continues', () => {
  it('from its link to its end, and the client gets the result', () => {
    const trip = new Trip(WAY, { kind: 'handle', id: HANDLE }, BEGUN);
    const steps = take(trip, ASKED, SENT, redirect('/login/done'), FINISHED);
    expect(steps).toEqual(['open', 'consent', 'return', 'ask 2026']);
    expect(trip.isOver).toBe(true);
    expect(trip.session).toBe(HANDLE);
  });

  it('with the code that its browser shows', () => {
    const trip = new Trip(WAY, { kind: 'connection', id: 'c' }, answer('{}'));
    const steps = take(
      trip,
      answer('{"loginUrl":"http://127.0.0.1:1/connect/abc"}'),
      ASKED,
      SENT,
      redirect('/connect/abc/code'),
      answer('<p class="code">ABCD-EFGH</p>'),
      FINISHED,
    );
    expect(steps).toEqual(['ask 2025', 'open', 'consent', 'return', 'see code', 'confirm 2025']);
    expect(trip.known('code')).toBe('ABCD-EFGH');
  });

  it('in the requests of a call that waits', () => {
    const parked = answer('{"requestState":"login.1","url":"http://127.0.0.1:1/connect/abc"}');
    const trip = new Trip(WAY, { kind: 'round', state: 'login.1' }, parked);
    take(trip, ASKED);
    expect(trip.next(true)).toBe('come back');
    trip.leave(true);
    expect(take(trip, SENT, redirect('/login/done'))).toEqual(['consent', 'return']);
    // The response is in flight.
    expect(trip.next(true)).toBe('see end');
    trip.arrive(true, answer(`done\\nThe user has logged in. session: ${HANDLE}`));
    expect(trip.isOver).toBe(true);
    expect(trip.session).toBe(HANDLE);
  });

  it('with a new link when its link has expired', () => {
    const trip = new Trip(WAY, { kind: 'handle', id: HANDLE }, BEGUN);
    const gone = answer('', { status: 404, headers: html });
    expect(take(trip, gone, BEGUN)).toEqual(['open', 'ask 2026']);
    expect(trip.next(false)).toBe('open');
  });
});

describe('a login is abandoned', () => {
  it('when the request state of its call is lost with a response', () => {
    const trip = new Trip(WAY, { kind: 'round', state: 'login.1' }, answer('{"requestState":"login.1"}'));
    trip.leave(true);
    trip.arrive(true, answer('', { status: 0, end: 'cut' }));
    expect(trip.isOver).toBe(true);
  });

  it('after too many rejections', () => {
    const trip = new Trip(WAY, { kind: 'connection', id: 'c' }, answer('{}'));
    const refused = answer('{"isError":true}');
    take(trip, refused, refused, refused);
    expect(trip.isOver).toBe(false);
    take(trip, refused);
    expect(trip.isOver).toBe(true);
  });
});

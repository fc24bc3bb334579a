import { describe, expect, it } from 'vitest';
import type { Way } from './blueprint.js';
import type { Answer } from './client.js';
import { PendingLogin } from './pending-login.js';

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

function take(pendingLogin: PendingLogin, ...answers: readonly Answer[]): string[] {
  return answers.map((each) => {
    const step = pendingLogin.next(false);
    pendingLogin.leave(false);
    pendingLogin.arrive(false, each);
    return step;
  });
}

describe('a login continues', () => {
  it('from its link to its end, and the client gets the result', () => {
    const pendingLogin = new PendingLogin(WAY, { kind: 'handle', id: HANDLE }, BEGUN);
    const steps = take(pendingLogin, ASKED, SENT, redirect('/login/done'), FINISHED);
    expect(steps).toEqual(['open', 'consent', 'return', 'ask 2026']);
    expect(pendingLogin.isOver).toBe(true);
    expect(pendingLogin.session).toBe(HANDLE);
  });

  it('with the code that its browser shows', () => {
    const pendingLogin = new PendingLogin(WAY, { kind: 'connection', id: 'c' }, answer('{}'));
    const steps = take(
      pendingLogin,
      answer('{"loginUrl":"http://127.0.0.1:1/connect/abc"}'),
      ASKED,
      SENT,
      redirect('/connect/abc/code'),
      answer('<p class="code">ABCD-EFGH</p>'),
      FINISHED,
    );
    expect(steps).toEqual(['ask 2025', 'open', 'consent', 'return', 'see code', 'confirm 2025']);
    expect(pendingLogin.known('code')).toBe('ABCD-EFGH');
  });

  it('in the requests of a call that waits', () => {
    const parked = answer('{"requestState":"login.1","url":"http://127.0.0.1:1/connect/abc"}');
    const pendingLogin = new PendingLogin(WAY, { kind: 'round', state: 'login.1' }, parked);
    take(pendingLogin, ASKED);
    expect(pendingLogin.next(true)).toBe('come back');
    pendingLogin.leave(true);
    expect(take(pendingLogin, SENT, redirect('/login/done'))).toEqual(['consent', 'return']);
    // The response is in flight.
    expect(pendingLogin.next(true)).toBe('see end');
    pendingLogin.arrive(true, answer(`done\\nThe user has logged in. session: ${HANDLE}`));
    expect(pendingLogin.isOver).toBe(true);
    expect(pendingLogin.session).toBe(HANDLE);
  });

  it('with a new link when its link has expired', () => {
    const pendingLogin = new PendingLogin(WAY, { kind: 'handle', id: HANDLE }, BEGUN);
    const expired = answer('', { status: 404, headers: html });
    expect(take(pendingLogin, expired, BEGUN)).toEqual(['open', 'ask 2026']);
    expect(pendingLogin.next(false)).toBe('open');
  });
});

describe('a login is abandoned', () => {
  it('when the request state of its call is lost with a response', () => {
    const pendingLogin = new PendingLogin(
      WAY,
      { kind: 'round', state: 'login.1' },
      answer('{"requestState":"login.1"}'),
    );
    pendingLogin.leave(true);
    pendingLogin.arrive(true, answer('', { status: 0, end: 'cut' }));
    expect(pendingLogin.isOver).toBe(true);
  });

  it('after too many rejections', () => {
    const pendingLogin = new PendingLogin(WAY, { kind: 'connection', id: 'c' }, answer('{}'));
    const refused = answer('{"isError":true}');
    take(pendingLogin, refused, refused, refused);
    expect(pendingLogin.isOver).toBe(false);
    take(pendingLogin, refused);
    expect(pendingLogin.isOver).toBe(true);
  });
});

import { expect, it } from 'vitest';
import type { Blueprint } from './blueprint.js';
import { BY_CODE } from './canaries.js';
import type { Answer } from './client.js';
import { LoginCoverage } from './login-coverage.js';

const request = (kind: string): Blueprint => ({ kind, method: 'POST', path: '/mcp', headers: [] });
const answer = (text: string, more: Partial<Answer> = {}): Answer => {
  return { status: 200, headers: {}, text, end: 'complete', ...more };
};

it('reports every stage for a run that reaches none', () => {
  const depth = new LoginCoverage();
  depth.add(request('login: return'), answer('', { status: 400 }));
  expect(depth.missing).toHaveLength(6);
});

it('requires counts in proportion to the requests', () => {
  const depth = new LoginCoverage();
  const finished = answer(
    `{"status":"authenticated","subject":"${BY_CODE}"} The user has logged in. session: x`,
  );
  depth.add(request('login: return'), answer('', { status: 303, headers: { location: '/login/done' } }));
  depth.add(request('login: see code'), answer('<p class="code">ABCD-EFGH</p>'));
  depth.add(request('login: come back'), finished);
  expect(depth.missing).toEqual([]);
  for (let number = 0; number < 10_000; number++) depth.add(request('odd'), answer(''));
  expect(depth.missing).toHaveLength(6);
});

import { expect, it } from 'vitest';
import { formatWait } from '../../limits/too-many-requests.js';
import { tooManyRequestsPage } from './problem-pages.js';

it.each([1, 20, 600])('the page that asks to wait says %i seconds as errors do', async (seconds) => {
  const { html } = await tooManyRequestsPage({ name: 'Notes', logo: undefined }, seconds);
  expect(html).toContain(`Wait ${formatWait(seconds)}, then load this page again.`);
});

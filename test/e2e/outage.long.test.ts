import { describe, it } from 'vitest';
import { expectNoLoginLost } from './long-outage.js';

const html = { body: '<h1>Oops</h1>', headers: { 'content-type': 'text/html' } };

describe('a ten-minute outage of the provider loses none of fifty logins, and causes few requests [security 20]', () => {
  it.each([
    { what: 'connections refused', fault: 'refused' as const },
    { what: '429', fault: { status: 429 } },
    { what: '429 with Retry-After', fault: { status: 429, retryAfterSeconds: 90 }, retryAfterSeconds: 90 },
    {
      what: '429 with a short Retry-After',
      fault: { status: 429, retryAfterSeconds: 2 },
      retryAfterSeconds: 2,
    },
    { what: '500', fault: { status: 500, ...html } },
    { what: '503 with Retry-After', fault: { status: 503, retryAfterSeconds: 45 }, retryAfterSeconds: 45 },
    { what: '500 after five seconds', fault: { status: 500 }, delaySeconds: 5 },
  ])('$what', (outage) => expectNoLoginLost({ ...outage, users: 50 }));
});

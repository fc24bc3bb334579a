import type { ProviderFault } from '../../packages/sessions/src/testing/index.js';
import type { SeededRandom } from '../support/seeded-random.js';

/** A field of token answers that tools may see. */
export const WIDE_FIELD = 'note';

/** Grants more than was requested, and repeats the access token in a field that tools see. */
export async function widened(response: Response): Promise<Response> {
  const text = await response.text();
  const { status, headers } = response;
  if (!text.startsWith('{"access_token"')) return new Response(text, { status, headers });
  const fields = JSON.parse(text);
  const scope = `${fields.scope ?? 'profile'} admin`;
  return Response.json({ ...fields, scope, [WIDE_FIELD]: fields.access_token }, { status });
}

/** An error that no standard has, in whose texts is a secret. */
export function echo(random: SeededRandom, secrets: Iterable<string>): Exclude<ProviderFault, string> {
  const secret = random.pick(['brewing', ...secrets]);
  const error = random.pick(['brewing', secret]);
  const body = JSON.stringify({ error, error_description: `Not with ${secret}` });
  return { status: 418, body, headers: { 'content-type': 'application/json' } };
}

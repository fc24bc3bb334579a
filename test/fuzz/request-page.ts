import { type Blueprint, type Header, placeholder } from './blueprint.js';
import { encoded } from './edge-case-values.js';

const FORM = 'application/x-www-form-urlencoded';
export const HOST: Header = ['host', placeholder('host')];

/** A request of a browser. @param pendingLogin the login whose cookies it sends */
export function get(kind: string, path: string, pendingLogin?: number): Blueprint {
  const cookie: Header[] =
    pendingLogin === undefined ? [] : [['cookie', placeholder('cookie', pendingLogin)]];
  const headers: Header[] = [HOST, ['accept', 'text/html'], ...cookie];
  return { kind, method: 'GET', path, headers, ...(pendingLogin !== undefined && { pendingLogin }) };
}

/** The form of the connect page. */
export function submission(kind: string, at: number, fields: Record<string, string>): Blueprint {
  const { headers } = get('', '', at);
  return {
    kind,
    method: 'POST',
    path: placeholder('link', at),
    headers: [...headers, ['origin', placeholder('origin')], ['content-type', FORM]],
    body: queryOf(Object.entries(fields)),
    pendingLogin: at,
  };
}

/** The redirect from the provider. */
export function callback(parameters: Record<string, string>): string {
  return `/callback?${queryOf(Object.entries(parameters))}`;
}

/** A query with placeholders that are not encoded. */
export function queryOf(parameters: readonly (readonly [string, string])[]): string {
  return parameters
    .map(([name, value]) => `${name}=${value.startsWith('<<') ? value : encoded(value)}`)
    .join('&');
}

/** The same request through a proxy, so that the login needs a confirmation code. */
export function fromAfar(request: Blueprint): Blueprint {
  return { ...request, headers: [...request.headers, ['x-forwarded-for', '203.0.113.9']] };
}

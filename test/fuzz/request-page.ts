import { type Blueprint, type Header, placeholder } from './blueprint.js';
import { encoded } from './odd-values.js';

const FORM = 'application/x-www-form-urlencoded';
export const HOST: Header = ['host', placeholder('host')];

/** What a browser asks for. @param trip the login whose cookies it has */
export function get(kind: string, path: string, trip?: number): Blueprint {
  const cookie: Header[] = trip === undefined ? [] : [['cookie', placeholder('cookie', trip)]];
  const headers: Header[] = [HOST, ['accept', 'text/html'], ...cookie];
  return { kind, method: 'GET', path, headers, ...(trip !== undefined && { trip }) };
}

/** The answer to the question whether a login was wanted. */
export function submission(kind: string, at: number, fields: Record<string, string>): Blueprint {
  const { headers } = get('', '', at);
  return {
    kind,
    method: 'POST',
    path: placeholder('link', at),
    headers: [...headers, ['origin', placeholder('origin')], ['content-type', FORM]],
    body: queryOf(Object.entries(fields)),
    trip: at,
  };
}

/** The way back from the provider. */
export function callback(parameters: Record<string, string>): string {
  return `/callback?${queryOf(Object.entries(parameters))}`;
}

/** A query whose placeholders stay what they are. */
export function queryOf(parameters: readonly (readonly [string, string])[]): string {
  return parameters
    .map(([name, value]) => `${name}=${value.startsWith('<<') ? value : encoded(value)}`)
    .join('&');
}

/** The same request as it comes through a proxy from elsewhere. There a login is confirmed with a code. */
export function fromAfar(request: Blueprint): Blueprint {
  return { ...request, headers: [...request.headers, ['x-forwarded-for', '203.0.113.9']] };
}

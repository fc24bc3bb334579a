import { isIPv6 } from 'node:net';
import { z } from 'zod';

/**
 * Special schemes (WHATWG URL): their origins have one canonical form. Origins of other schemes are compared as
 * written.
 */
const SPECIAL = /^(https?|wss?|ftp):/i;
/**
 * `chrome-extension://…`, `vscode-webview://…`, `app://…`: a scheme (RFC 3986 section 3.1) and a host in its own
 * syntax.
 */
const OTHER_ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@\\,*"]*$/i;
const AUTHORITY = /^[^\s/?#@\\]+$/;

/** A list of accepted host names, normalized as by {@link hostnameOf}. */
export const allowedHostsSchema: z.ZodType<string[], string[]> = listOf((value, fail) => {
  if (value.includes('*')) return fail('must not contain a wildcard: list each host name');
  const host = isIPv6(value) ? `[${value}]` : value;
  const hostname = /:\d*$/.test(host.replace(/^\[.*\]/, '')) ? undefined : hostnameOf(host);
  return hostname ?? fail('must be a host name without a port, such as mcp.example.com');
});

/** A list of accepted origins, as browsers write them in `Origin` (RFC 6454 section 6.2). */
export const allowedOriginsSchema: z.ZodType<string[], string[]> = listOf((value, fail) => {
  if (value.includes('*')) return fail('must not contain a wildcard: list each origin');
  if (value === 'null') return fail('must not be null: unrelated pages share that origin');
  const origin = SPECIAL.test(value) ? specialOriginOf(value) : otherOriginOf(value);
  return origin ?? fail('must be an origin without a path, such as https://app.example.com');
});

/**
 * The host name in the value of a `Host` header, in lower case, without port and final dot; `undefined` if it is not
 * valid.
 */
export function hostnameOf(host: string): string | undefined {
  const url = `http://${host}`;
  if (!AUTHORITY.test(host) || !URL.canParse(url)) return undefined;
  return new URL(url).hostname.replace(/\.$/, '');
}

function specialOriginOf(value: string): string | undefined {
  if (!URL.canParse(value)) return undefined;
  const { href, origin } = new URL(value);
  return href === `${origin}/` ? origin : undefined;
}

function otherOriginOf(value: string): string | undefined {
  const origin = value.replace(/\/$/, '');
  const written = value.endsWith('://') ? value : origin;
  return OTHER_ORIGIN.test(written) ? written.replace(/^[^:]+/, (scheme) => scheme.toLowerCase()) : undefined;
}

type Normalize = (value: string, fail: (message: string) => undefined) => string | undefined;

function listOf(normalize: Normalize): z.ZodType<string[], string[]> {
  return z.array(
    z.string().transform((value, context) => {
      const fail = (message: string) => {
        context.addIssue(`"${value}" ${message}`);
        return undefined;
      };
      return normalize(value.trim(), fail) ?? z.NEVER;
    }),
  );
}

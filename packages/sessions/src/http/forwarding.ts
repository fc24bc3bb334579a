import type { IncomingMessage } from 'node:http';
import type { RequestHeaders } from './request-headers.js';

/**
 * Headers that only proxies, tunnels and content delivery networks add: standard headers, and those of well-known
 * products.
 */
const ADDED_ON_THE_WAY =
  /^(forwarded|forwarded-.*|via|cdn-loop|x-forwarded|x-forwarded-.*|x-original-(host|forwarded-.*|url|uri)|x-envoy-.*|cf-.*|fastly-.*|fly-.*|ngrok-.*|tailscale-.*|x-appengine-.*|x-vercel-.*|x-nf-.*|x-azure-.*|x-arr-.*|x-amz-cf-.*|x-akamai-.*|x-varnish|front-end-https|x-scheme|proxy-connection|x-ms-proxy|x-tunnel-.*|x-pomerium-.*|x-goog-iap-.*)$/;
/** Headers that name the address or host of a client: `X-Real-IP`, `True-Client-IP`, … */
const NAMES_A_CLIENT =
  /(^|-)(client|real|remote|connecting|originating|original|source|peer|user|proxyuser|true|proxy)-?(ip|ips|addr|address|host|port)$/;

/** Headers with arguments of tools (`Mcp-Param-…`, revision 2026-07-28), which may have any name. */
const WRITTEN_BY_CLIENTS = /^mcp-/;

/** Headers of most requests. None of them matches a pattern. */
export const USUAL_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'host',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'sec-fetch-mode',
  'transfer-encoding',
  'user-agent',
]);

/** The name of the first header that shows that a request was forwarded; `undefined` if there is none. */
export function forwardingHeaderOf(headers: Pick<RequestHeaders, 'keys'>): string | undefined {
  for (const name of headers.keys()) {
    if (USUAL_HEADERS.has(name)) continue;
    // Some proxies write `X_Forwarded_For`, or `HTTP_X_FORWARDED_FOR` as CGI does (RFC 3875 section 4.1.18).
    const usual = name.replaceAll('_', '-').replace(/^http-/, '');
    if (WRITTEN_BY_CLIENTS.test(usual)) continue;
    if (ADDED_ON_THE_WAY.test(usual) || NAMES_A_CLIENT.test(usual)) return name;
  }
  return undefined;
}

/**
 * Whether a request came over HTTP/1.0, and so through a proxy. MCP clients and browsers speak later versions. nginx by
 * default speaks HTTP/1.0 to its upstream, adds no header, and writes the upstream's address into `Host`.
 */
export function isOverHttp10(incoming: IncomingMessage | undefined): boolean {
  return incoming?.httpVersion === '1.0';
}

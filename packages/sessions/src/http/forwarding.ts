import type { IncomingMessage } from 'node:http';

/**
 * Headers that only something between a client and this server adds: those that are standards or that well-known
 * proxies, tunnels and content delivery networks use.
 */
const ADDED_ON_THE_WAY =
  /^(forwarded|forwarded-.*|via|cdn-loop|x-forwarded|x-forwarded-.*|x-original-(host|forwarded-.*|url|uri)|x-envoy-.*|cf-.*|fastly-.*|fly-.*|ngrok-.*|tailscale-.*|x-appengine-.*|x-vercel-.*|x-nf-.*|x-azure-.*|x-arr-.*|x-amz-cf-.*|x-akamai-.*)$/;
/** Whatever a proxy calls the address or the host that a request came from: `X-Real-IP`, `True-Client-IP`, … */
const NAMES_A_CLIENT =
  /(^|-)(client|real|remote|connecting|originating|original|source|peer|user|proxyuser|true|proxy)-?(ip|ips|addr|address|host|port)$/;

/** Clients write arguments of tools into headers (`Mcp-Param-…`, revision 2026-07-28), whatever these are called. */
const WRITTEN_BY_CLIENTS = /^mcp-/;

/** The first header of a request that says that it came through a proxy or tunnel. */
export function forwardingHeaderOf(headers: Headers): string | undefined {
  for (const name of headers.keys()) {
    if (WRITTEN_BY_CLIENTS.test(name)) continue;
    if (ADDED_ON_THE_WAY.test(name) || NAMES_A_CLIENT.test(name)) return name;
  }
  return undefined;
}

/**
 * Whether a request came over HTTP/1.0. Clients of MCP and browsers speak later versions; nginx speaks it to what is
 * behind it unless told otherwise, adds no header then, and writes the server's own address into `Host`.
 */
export function isOverHttp10(incoming: IncomingMessage | undefined): boolean {
  return incoming?.httpVersion === '1.0';
}

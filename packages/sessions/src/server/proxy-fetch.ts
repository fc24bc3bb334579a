import { SessionError } from '../errors.js';
import { isLoopbackHost } from '../secure-url.js';
import { sharedLoad } from '../time/promises.js';

/** The variables of the proxies. Like curl, the server prefers lower case. */
const HTTP_PROXY = ['http_proxy', 'HTTP_PROXY'] as const;
const HTTPS_PROXY = ['https_proxy', 'HTTPS_PROXY'] as const;

/**
 * The default HTTP client for providers and APIs. It uses the proxies that `HTTP_PROXY` and `HTTPS_PROXY` name, except
 * for loopback addresses and the hosts in `NO_PROXY`. Without these variables it is the global `fetch`.
 *
 * The dispatcher of the process stays as it is: the library may run in a process that has its own.
 * @throws SessionError `configuration` if a variable is neither an http or https URL nor a host and a port
 */
export function environmentFetch(environment: NodeJS.ProcessEnv = process.env): typeof fetch {
  const httpProxy = proxyIn(environment, HTTP_PROXY);
  const httpsProxy = proxyIn(environment, HTTPS_PROXY);
  if (httpProxy === undefined && httpsProxy === undefined) return globalThis.fetch;
  // An empty text keeps undici from reading the environment itself.
  const proxies = {
    httpProxy: httpProxy ?? '',
    httpsProxy: httpsProxy ?? '',
    noProxy: environment.no_proxy ?? environment.NO_PROXY ?? '',
  };
  const agent = sharedLoad(async () => new (await import('undici')).EnvHttpProxyAgent(proxies));
  return async (input, init) => {
    const { hostname } = new URL(input instanceof Request ? input.url : input);
    if (isLoopbackHost(hostname)) return globalThis.fetch(input, init);
    // Node's `fetch` takes the option of undici, which the types of the web do not have.
    return globalThis.fetch(input, { ...init, dispatcher: await agent() } as RequestInit);
  };
}

/**
 * Names the proxy that requests to a URL go through: its host and the variable, without credentials. `undefined`: none.
 * @throws SessionError `configuration` as {@link environmentFetch}
 */
export function proxyFor(
  { protocol, hostname, port }: URL,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  // undici uses the proxy for http if there is none for https.
  const names = protocol === 'https:' ? [...HTTPS_PROXY, ...HTTP_PROXY] : HTTP_PROXY;
  const proxy = proxyIn(environment, names);
  if (proxy === undefined || isLoopbackHost(hostname)) return undefined;
  const exceptions = (environment.no_proxy ?? environment.NO_PROXY ?? '').split(/[,\s]+/).filter(Boolean);
  const usedPort = port || (protocol === 'https:' ? '443' : '80');
  const isExcepted = exceptions.some((exception) => {
    const [, host = exception, ofPort] = /^(.+):(\d+)$/.exec(exception) ?? [];
    const name = host.replace(/^\*?\./, '').toLowerCase();
    const isHost = exception === '*' || hostname === name || hostname.endsWith(`.${name}`);
    return isHost && (ofPort === undefined || ofPort === usedPort);
  });
  return isExcepted ? undefined : `${new URL(proxy).host} (${names.find((name) => environment[name])})`;
}

/** An address without a scheme, such as `proxy.example.com:3128`, which curl reads as http, too. */
const HOST_AND_PORT = /^([^/@\s]+@)?([^/@:\s]+|\[[\d.:a-f]+\]):\d{1,5}\/?$/i;

/** The address of a proxy. The error does not repeat it, because it may contain a password. */
function proxyIn(environment: NodeJS.ProcessEnv, names: readonly string[]): string | undefined {
  const name = names.find((each) => environment[each]);
  const value = name === undefined ? undefined : environment[name];
  if (!value) return undefined;
  // Other programs assume different ports without one, so only an address with a port can be meant.
  const url = HOST_AND_PORT.test(value) ? `http://${value}` : value;
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new SessionError(
    'configuration',
    `${name} must be an http or https URL, such as http://proxy.example.com:3128, or a host and a port, such as proxy.example.com:3128.`,
  );
}

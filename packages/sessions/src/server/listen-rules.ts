import type { AccessSettings } from '../access/access-options.js';
import { SessionError } from '../errors.js';
import { isLoopbackHost } from '../secure-url.js';
import { MAX_TIMER_MS } from '../time/clock.js';

/** @throws SessionError `configuration` */
export function assertMayServeStdio({
  publicUrl,
  access,
}: {
  readonly publicUrl: URL | undefined;
  readonly access: AccessSettings;
}): void {
  if (access !== 'open') {
    throw new SessionError(
      'configuration',
      'Over stdio there is one client, the one that started this process. Remove `access`.',
    );
  }
  if (!publicUrl) return;
  throw new SessionError(
    'configuration',
    'Over stdio, the redirect URI of logins is on a free port of 127.0.0.1. Remove `publicUrl`.',
  );
}

/** @throws SessionError `configuration` */
export function assertMayListen(host: string, access: AccessSettings, publicUrl: URL | undefined): void {
  if (isLoopbackHost(host)) return;
  if (access === 'open') throw openToNetwork(host);
  if (publicUrl) return;
  throw new SessionError(
    'configuration',
    `Listening on ${host} needs \`publicUrl\`: the URL at which browsers and clients reach this server.`,
  );
}

/** @throws SessionError `configuration` */
export function assertKeepAlive(keepAliveMs: number | undefined): void {
  if (keepAliveMs === undefined || (keepAliveMs > 0 && keepAliveMs <= MAX_TIMER_MS)) return;
  throw new SessionError(
    'configuration',
    '`keepAliveMs` must be a number of milliseconds, greater than 0 and less than 2^31.',
  );
}

/** The error of open access for other machines that is not configured as such. */
export function openToNetwork(host: string): SessionError {
  return new SessionError(
    'configuration',
    `Other machines can reach ${host}, where knowing the id of a session is enough to use it. Require access tokens (\`access: { issuer }\`), or set \`access: 'open-to-network'\`.`,
  );
}

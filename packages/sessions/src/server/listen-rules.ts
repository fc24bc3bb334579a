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
      'Over stdio there is one client, which started this process. Leave out `access`.',
    );
  }
  if (!publicUrl) return;
  throw new SessionError(
    'configuration',
    'Over stdio, logins come back to a free port of 127.0.0.1, never to a `publicUrl`. Leave that out.',
  );
}

/** @throws SessionError `configuration` */
export function assertMayListen(host: string, access: AccessSettings, publicUrl: URL | undefined): void {
  if (isLoopbackHost(host)) return;
  if (access === 'open') throw openToNetwork(host);
  if (publicUrl) return;
  throw new SessionError(
    'configuration',
    `Listening on ${host} needs a \`publicUrl\`, under which browsers and clients find this server.`,
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

/** Open access is for one machine unless somebody wants it otherwise, and says so. */
export function openToNetwork(host: string): SessionError {
  return new SessionError(
    'configuration',
    `Under ${host}, anybody who knows a session's id could use it. Let clients in with bearer tokens (\`access\`: an authorization server's issuer), or say \`access: 'open-to-network'\`.`,
  );
}

import { SessionError } from './errors.js';
import { isLoopbackHost } from './loopback.js';

/** @throws SessionError `configuration` */
export function assertMayServeStdio(publicUrl: URL | undefined): void {
  if (!publicUrl) return;
  throw new SessionError(
    'configuration',
    'Over stdio, logins come back to a free port of 127.0.0.1, never to a `publicUrl`. Leave that out.',
  );
}

/** @throws SessionError `configuration` */
export function assertMayListen(host: string, allowOpenAccess: boolean, publicUrl: URL | undefined): void {
  if (isLoopbackHost(host)) return;
  if (!allowOpenAccess) {
    throw new SessionError(
      'configuration',
      `Listening on ${host} would let anybody on the network in who knows a session's id. Listen on 127.0.0.1 behind a proxy, or say \`allowOpenAccessFromNetwork: true\`.`,
    );
  }
  if (!publicUrl) {
    throw new SessionError(
      'configuration',
      `Listening on ${host} needs a \`publicUrl\`, under which browsers find this server.`,
    );
  }
}

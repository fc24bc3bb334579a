import { type Context, Hono } from 'hono';
import type { LogoutTokenVerifier, ProviderLogout } from '../../access/logout-token.js';
import { SessionError } from '../../errors.js';
import type { BodyMemoryLimit } from '../../http/body/body-memory-limit.js';
import { readForm } from '../../http/body/form-body.js';
import { bodySourceOf, type HttpEnv } from '../../http/http-env.js';
import type { LogoutTokenFault } from '../../session/session-events.js';
import type { LoginRequestLimits } from './request-limits.js';

export interface BackChannelLogoutOptions {
  readonly loginRequests: LoginRequestLimits;
  readonly bodyMemory: BodyMemoryLimit;
  readonly backChannelLogout: {
    /** By the name of the provider. */
    readonly verifiers: ReadonlyMap<string, Pick<LogoutTokenVerifier, 'verify'>>;
    /** Signs a user out. @throws SessionError `store_unavailable` */
    readonly signOut: (provider: string, logout: ProviderLogout) => Promise<void>;
    readonly onRefused: (provider: string, reason: LogoutTokenFault) => void;
  };
  readonly onError: (error: unknown) => void;
}

const RETRY_SECONDS = 60;

/** The path to which a provider sends its logout tokens (`backchannel_logout_uri`). */
export function backChannelLogoutPath(provider: string): string {
  return `/login/logout/${encodeURIComponent(provider)}`;
}

/** The routes for logout tokens of providers (OpenID Connect Back-Channel Logout section 2.5). */
export function backChannelLogoutRoutes(options: BackChannelLogoutOptions): Hono<HttpEnv> {
  const { loginRequests, bodyMemory, backChannelLogout, onError } = options;
  const { verifiers, signOut, onRefused } = backChannelLogout;
  const app = new Hono<HttpEnv>();

  const unavailable = (error: unknown) => {
    // The provider has reported why its metadata or keys are not available.
    if (!(error instanceof SessionError)) onError(error);
    return { fault: 'unavailable' } as const;
  };

  app.post('/login/logout/:provider', async (c) => {
    const provider = c.req.param('provider');
    const verifier = verifiers.get(provider);
    if (!verifier) return c.notFound();
    c.header('cache-control', 'no-store');
    const form = await readForm(bodySourceOf(c), bodyMemory);
    if (form === 'memory-full') return later(c, 503, 1);
    if (form === 'too-large') return invalid(c, 413);
    const [token = '', ...others] = form.getAll('logout_token');
    const verified = others.length > 0 ? MALFORMED : await verifier.verify(token).catch(unavailable);
    if ('fault' in verified) {
      if (verified.fault !== 'unavailable') onRefused(provider, verified.fault);
      const seconds = await loginRequests.ofAddress(c.get('clientKey'));
      if (seconds !== undefined) return later(c, 429, seconds);
      return verified.fault === 'unavailable' ? later(c, 503, RETRY_SECONDS) : invalid(c, 400);
    }
    try {
      await signOut(provider, verified.logout).catch(async (error: unknown) => {
        await verified.release();
        throw error;
      });
      return c.body(null, 200);
    } catch (error) {
      onError(error);
      return later(c, 503, RETRY_SECONDS);
    }
  });

  return app;
}

const MALFORMED = { fault: 'malformed' } as const;

function invalid(c: Context<HttpEnv>, status: 400 | 413): Response {
  return c.json({ error: 'invalid_request' }, status);
}

function later(c: Context<HttpEnv>, status: 429 | 503, seconds: number): Response {
  c.header('retry-after', String(seconds));
  return c.json({ error: 'temporarily_unavailable' }, status);
}

import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type Provider from 'oidc-provider';
import { z } from 'zod';
import { errorPage, loginPage, pagePolicy, type RequestingClient } from './login-page.js';
import { limitBody } from './loopback-server.js';
import { LOGIN_PATH } from './provider-configuration.js';

type LoginContext = Context<{ Bindings: HttpBindings }>;

const MAX_FORM_BYTES = 4096;

const loginForm = z.union([
  z.object({ cancel: z.string() }),
  z.object({
    username: z
      .string()
      .trim()
      .min(1)
      .max(64)
      .regex(/^\P{Cc}+$/u),
  }),
]);

/** The login pages of the identity provider. They accept any name. */
export function createLogin(provider: Provider): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  // With `no-referrer`, browsers would send `Origin: null` with the form, which is refused.
  app.use(secureHeaders({ referrerPolicy: 'same-origin', strictTransportSecurity: false }));
  app.use(limitBody(MAX_FORM_BYTES, async (c) => c.text('The form is too large.', 413)));

  app.get(`${LOGIN_PATH}:uid`, (c) => showLogin(provider, c));

  app.post(`${LOGIN_PATH}:uid`, async (c) => {
    const form = loginForm.safeParse(await c.req.parseBody());
    if (!form.success) return showLogin(provider, c, 'Enter a name of 1 to 64 characters.');
    const result =
      'cancel' in form.data
        ? { error: 'access_denied', error_description: 'The user cancelled the login.' }
        : { login: { accountId: form.data.username, remember: false }, select_account: {}, consent: {} };
    const { incoming, outgoing } = c.env;
    return c.redirect(await provider.interactionResult(incoming, outgoing, result), 303);
  });

  app.onError((error, c) => {
    const isExpired = error.name === 'SessionNotFound';
    c.header('Content-Security-Policy', pagePolicy());
    return isExpired
      ? c.html(errorPage('This login has expired, or was started in another browser.'), 400)
      : c.html(errorPage('The identity provider failed.'), 500);
  });
  return app;
}

async function showLogin(provider: Provider, c: LoginContext, problem?: string): Promise<Response> {
  const { params } = await provider.interactionDetails(c.env.incoming, c.env.outgoing);
  // The device flow has no redirect URI.
  const { redirect_uri: redirectUri, client_id: clientId } = params;
  const redirectOrigin = typeof redirectUri === 'string' ? originOf(new URL(redirectUri)) : undefined;
  c.header('Content-Security-Policy', pagePolicy(redirectOrigin));
  c.header('Cache-Control', 'no-store');
  const client = redirectOrigin && (await requestingClient(provider, String(clientId), redirectOrigin));
  return c.html(loginPage(problem, client || undefined), problem ? 400 : 200);
}

/** The target of a redirect as a content security policy names it: the scheme if the URL has no origin. */
function originOf({ origin, protocol }: URL): string {
  return origin === 'null' ? protocol : origin;
}

/** The client that requests the sign-in; `undefined` if the operator registered it. */
async function requestingClient(
  provider: Provider,
  clientId: string,
  redirectOrigin: string,
): Promise<RequestingClient | undefined> {
  const client = await provider.Client.find(clientId);
  // Clients that register themselves here are public clients.
  if (client?.tokenEndpointAuthMethod !== 'none') return undefined;
  return { name: client.clientName ?? 'an MCP client', redirectOrigin };
}

import type { Configuration, errors, KoaContextWithOIDC } from 'oidc-provider';
import { approvedPage, confirmCodePage, type DeviceForm, userCodePage } from './device-pages.js';
import { type Html, pagePolicy } from './login-page.js';

type DeviceFlow = NonNullable<NonNullable<Configuration['features']>['deviceFlow']>;

/** The device flow (RFC 8628), with the pages of this provider. */
export const deviceFlow: DeviceFlow = {
  enabled: true,
  userCodeInputSource: (ctx, _form, _out, error) => show(ctx, userCodePage(formOf(ctx), problemOf(error))),
  userCodeConfirmSource: (ctx, ...[, client, , userCode]) =>
    show(ctx, confirmCodePage(formOf(ctx), client.clientName ?? client.clientId, userCode)),
  successSource: (ctx) => show(ctx, approvedPage()),
};

function formOf({ oidc }: KoaContextWithOIDC): DeviceForm {
  const { secret } = oidc.session?.state ?? {};
  return { action: oidc.urlFor('code_verification'), xsrf: typeof secret === 'string' ? secret : '' };
}

function problemOf(error: errors.OIDCProviderError | Error | undefined): string | undefined {
  if (!error) return undefined;
  if (error.name === 'AbortedError') return 'The sign-in was cancelled. Your MCP client is informed.';
  const isWrong = 'userCode' in error || error.name === 'NoCodeError' || error.name === 'NotFoundError';
  return isWrong
    ? 'This code is invalid or has expired. Enter it again, or ask your MCP client for a new one.'
    : 'An error occurred. Enter the code again, or ask your MCP client for a new one.';
}

async function show(ctx: KoaContextWithOIDC, page: Html): Promise<void> {
  ctx.type = 'html';
  ctx.set('Content-Security-Policy', pagePolicy());
  ctx.set('Cache-Control', 'no-store');
  ctx.body = String(await page);
}

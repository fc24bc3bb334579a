import type Provider from 'oidc-provider';
import { z } from 'zod';
import { MCP_SCOPE } from './provider-configuration.js';

export interface McpRequestOptions {
  readonly isMcpClient: (clientId: string) => boolean;
  /** The default resource; `undefined` until the MCP server listens. */
  readonly mcpEndpoint: () => string | undefined;
}

const endedGrant = z.looseObject({ error: z.literal('invalid_grant') });
/** The error description, the only part of an error that some hosts show to the model. */
const SIGN_IN_AGAIN =
  'This sign-in has ended, or the server was restarted. The user has to sign in to this MCP server again in the client.';

type Query = Record<string, string | string[] | undefined>;

/**
 * Completes authorization requests as large authorization servers do. An MCP client without a scope (RFC 6749 section
 * 3.3) or a resource (RFC 8707 section 2) gets those of the MCP endpoint: clients before revision 2025-06-18 send
 * neither. Requests of the MCP server's own client stay as they are. The error for an ended grant tells the user what
 * to do.
 */
export function completeMcpRequests(
  provider: Provider,
  { isMcpClient, mcpEndpoint }: McpRequestOptions,
): void {
  provider.use(async (ctx, next) => {
    if (ctx.path === '/auth') {
      const asked: Query = ctx.query;
      const { client_id: clientId } = asked;
      const isFromMcpClient = typeof clientId === 'string' && isMcpClient(clientId);
      // Koa's type does not allow `undefined`.
      ctx.query = askingForConsent(
        isFromMcpClient ? withDefaults(asked, mcpEndpoint()) : asked,
      ) as typeof ctx.query;
    }
    await next();
    const ended = ctx.path === '/token' ? endedGrant.safeParse(ctx.body) : undefined;
    if (ended?.success) ctx.body = { ...ended.data, error_description: SIGN_IN_AGAIN };
  });
}

/** A parameter without a value counts as omitted (RFC 6749 section 3.1). */
function withDefaults(query: Query, resource: string | undefined): Query {
  return {
    ...query,
    scope: query.scope || MCP_SCOPE,
    ...(resource !== undefined && { resource: query.resource || resource }),
  };
}

/**
 * Adds `prompt=consent` to requests for the scope `offline_access`. OpenID Connect Core section 11 requires it, and
 * without it the scope is not granted, but MCP clients do not send it. Signing in counts as the consent here.
 */
function askingForConsent(query: Query): Query {
  const { scope, prompt = '' } = query;
  const asked = typeof scope === 'string' && scope.split(' ').includes('offline_access');
  const prompts = typeof prompt === 'string' ? prompt.split(' ').filter(Boolean) : ['none'];
  return asked && !prompts.includes('none') && !prompts.includes('consent')
    ? { ...query, prompt: [...prompts, 'consent'].join(' ') }
    : query;
}

import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Accounts } from '../../account/accounts.js';
import type { Logins } from '../../login/logins.js';
import { sessionRequired } from '../../session/account-errors.js';
import type { RevocationReport } from '../../session/disposal.js';
import type { SessionRef } from '../../session/ids.js';
import type { OwnerSessions } from '../../session/owner-sessions.js';
import type { SessionRegistry } from '../../session/session-registry.js';
import type { RequestContexts } from '../request/context.js';
import { afterLogout } from './logout-texts.js';
import { structuredResult } from './tool-result.js';

export interface LogoutToolOptions {
  readonly contexts: RequestContexts;
  readonly registry: SessionRegistry;
  readonly accounts: Accounts;
  readonly logins: Logins;
  /** The sessions of authenticated callers; absent in open access. */
  readonly owners: OwnerSessions | undefined;
}

const inputSchema = z.object({
  provider: z.string().max(100).optional().describe('Log out of this provider only. Default: all providers.'),
});
const everywhereSchema = inputSchema.extend({
  everywhere: z
    .boolean()
    .optional()
    .describe('Log the user out of all their clients at this server, not just this one. Default: false.'),
});
type LogoutArguments = z.infer<typeof everywhereSchema>;

const outputSchema = z.object({
  status: z.literal('logged_out'),
  accounts: z.array(
    z.object({
      provider: z.string(),
      revocation: z
        .enum(['confirmed', 'unconfirmed', 'unsupported', 'deferred'])
        .describe(
          'Whether the provider confirmed the revocation of the tokens. This server has wiped them in any case. unconfirmed, unsupported: they may stay valid at the provider until they expire. deferred: another login of this user still uses the grant. It is revoked when that ends.',
        ),
    }),
  ),
  next: z.string().describe('What to tell the user.'),
});

/**
 * Registers the tool `logout`. It wipes the tokens first, then revokes them at the provider, and reports the result.
 */
export function registerLogoutTool(server: McpServer, options: LogoutToolOptions): void {
  server.registerTool(
    'logout',
    {
      title: 'Log out',
      description:
        'Logs the user out: wipes their tokens on this server, and revokes them at the provider if it supports that.',
      inputSchema: options.owners ? everywhereSchema : inputSchema,
      outputSchema,
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
    },
    async (args: LogoutArguments) => {
      if (args.provider !== undefined) options.logins.assertProvider(args.provider);
      const accounts = await logout(options, args);
      return structuredResult({ status: 'logged_out', accounts, next: afterLogout(accounts, args.provider) });
    },
  );
}

async function logout(
  options: LogoutToolOptions,
  { provider, everywhere = false }: LogoutArguments,
): Promise<RevocationReport[]> {
  const { contexts, owners } = options;
  const { resolved } = contexts.get();
  if (resolved.state !== 'live') throw sessionRequired();
  const { record } = resolved;
  const refs = everywhere && owners ? await owners.ofSameUser(record) : [record.ref];
  const reports = await Promise.all(refs.map((each) => logoutOf(options, each, provider)));
  return reports.flat();
}

async function logoutOf(
  { registry, accounts, logins }: LogoutToolOptions,
  ref: SessionRef,
  provider: string | undefined,
): Promise<RevocationReport[]> {
  await logins.cancel(ref, provider);
  if (provider !== undefined) return accounts.remove(ref, provider);
  const { revoked } = await registry.signOut(ref, 'logout');
  return revoked;
}

/**
 * Searches the memory of a server for the secrets of its users: `npm run hygiene [-- --sessions 100]`.
 *
 * The server, a plain `Map` for comparison, and the identity provider each run in a process of their own. Only this
 * process knows the secrets of all, and it searches from outside. Requires Linux, and the permission to read the
 * memory of another process.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { WorkerProcess } from '../support/worker-process.js';
import { measureMap } from './map-measurement.js';
import { textTable } from './text-table.js';
import { upstreamSchema } from './upstream.js';
import { measureVault } from './vault-measurement.js';

const { values } = parseArgs({ options: { sessions: { type: 'string', default: '100' } } });
const sessions = z.coerce.number().int().positive().parse(values.sessions);
const tokens = 2 * sessions;

const provider = new WorkerProcess(new URL('./provider-child.js', import.meta.url));
try {
  const upstream = await provider.ask('start', undefined, upstreamSchema);
  const issued = () => provider.ask('issued', undefined, z.array(z.string()));
  const vault = await measureVault(upstream, sessions, issued);
  const map = await measureMap(upstream, sessions, issued);

  const row = (name: string, all: number, ...found: (number | undefined)[]) => [
    `  ${name}`,
    ...found.map((count) => (count === undefined ? '–' : `${count} of ${all}`)),
  ];
  console.log(`Found of ${sessions} sessions and their ${tokens} tokens:\n`);
  console.log(
    textTable([
      ['', 'heap snapshot', 'memory, idle', 'memory, signed out'],
      ['mcp-sessions', '', '', ''],
      row('tokens', tokens, vault.inSnapshot.tokens, vault.idle.tokens, vault.signedOut.tokens),
      row('session keys', sessions, undefined, vault.idle.sessionKeys, vault.signedOut.sessionKeys),
      row('sealed tokens', sessions, undefined, vault.idle.sealed, vault.signedOut.sealed),
      row('salts of the keys', sessions, undefined, vault.idle.salts, vault.signedOut.salts),
      row('control keys', sessions, undefined, vault.idle.controlKeys, vault.signedOut.controlKeys),
      ['plain Map', '', '', ''],
      row('tokens', tokens, map.inSnapshot.tokens, map.idle.tokens, map.signedOut.tokens),
    ]),
  );

  const expectations: [what: string, holds: boolean][] = [
    ['no token is in the heap snapshot', vault.inSnapshot.tokens === 0],
    ['the computed session keys open the sealed tokens', vault.idle.sealed === sessions],
    ['no session key is in memory while idle', vault.idle.sessionKeys === 0],
    ['no session key is in memory after sign-out', vault.signedOut.sessionKeys === 0],
    ['no sealed token is in memory after sign-out', vault.signedOut.sealed === 0],
    ['the control keys, never wiped, are found', vault.signedOut.controlKeys === sessions],
    ['the tokens of a plain Map are found', map.inSnapshot.tokens === tokens && map.idle.tokens === tokens],
  ];
  const failed = expectations.filter(([, holds]) => !holds).map(([name]) => name);
  console.log(failed.length === 0 ? '\nhygiene: all held' : `\nhygiene failed: ${failed.join('; ')}`);
  if (failed.length > 0) process.exitCode = 1;
} finally {
  await provider.kill();
}

import type { Script } from '../script.js';
import { SESSION_KEYS } from './session-keys.js';

/**
 * Writes again what a failover may have lost, unless the engine has a newer write of the same session. Arguments:
 * reference, number of the write, the reason of an end or empty, then as `insertSession` from the version to the index
 * keys. Limits do not apply: the write was within them. Answers 1 if it was lost, else 0.
 */
export const rewriteSession: Script = {
  name: 'rewrite-session',
  lua: `${SESSION_KEYS}
local ref, n, reason = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local latest = tonumber(redis.call('HGET', sessionKey(ref), 'n') or 0)
local ended = string.match(redis.call('HGET', P .. 'reasons', ref) or '', ' (%d+)')
if math.max(latest, tonumber(ended or 0)) >= n then return 0 end
if reason == '' then set(ref, n, unpack(ARGV, 5, 11))
elseif not remove(ref, reason, n) then noteEnd(ref, reason, n) end
return 1
`,
};

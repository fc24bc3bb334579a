import type { Script } from '../script.js';
import { NUMBERS_OF_A_RUN, SESSION_KEYS } from './session-keys.js';

/**
 * Writes again what a failover may have lost, unless the engine has a newer write of the same session. An end is newer
 * than writes after the failover, too: they continue a session that had ended, unless it has begun after that end.
 *
 * Arguments: reference, number of the write, the reason of an end or empty, then as `insertSession` from the version to
 * the index keys. Limits do not apply: the write was within them. Answers 1 if it was lost, else 0.
 */
export const rewriteSession: Script = {
  name: 'rewrite-session',
  lua: `${SESSION_KEYS}
local ref, n, reason = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local f = redis.call('HMGET', sessionKey(ref), 'n', 'b')
local latest, first = tonumber(f[1] or 0), tonumber(f[2] or 0)
local ended = string.match(redis.call('HGET', P .. 'reasons', ref) or '', ' (%d+)')
if tonumber(ended or 0) >= n then return 0 end
local function runOf(number) return math.floor(number / ${NUMBERS_OF_A_RUN}) end
if reason ~= '' and first < n and runOf(latest) > runOf(n) then
  remove(ref, reason)
  return 1
end
if latest >= n then return 0 end
if reason == '' then set(ref, n, unpack(ARGV, 5, 11))
elseif not remove(ref, reason, n) then noteEnd(ref, reason, n) end
return 1
`,
};

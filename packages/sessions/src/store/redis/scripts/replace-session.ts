import type { Script } from '../script.js';
import { SESSION_KEYS } from './session-keys.js';

/**
 * Replaces a session. Arguments: reference, version that it must have, then as `insertSession` from the version to the
 * index keys. Answers 1 if it was replaced, else 0.
 */
export const replaceSession: Script = {
  name: 'replace-session',
  lua: `${SESSION_KEYS}
local ref, g, k = ARGV[2], ARGV[8], ARGV[9]
local f = redis.call('HMGET', sessionKey(ref), 'v', 'q', 'g', 'k', 'i')
if f[1] ~= ARGV[3] then return 0 end
local q = tonumber(ARGV[5]) > tonumber(f[2]) and ARGV[5] or f[2]
redis.call('HSET', sessionKey(ref), 'v', ARGV[4], 'q', q, 'd', ARGV[6], 'r', ARGV[7], 'g', g, 'k', k, 'i', ARGV[10])
if f[3] ~= g or f[4] ~= k then
  leave(ref, f[3], f[4])
  enter(ref, g, k)
end
setIndex(ref, f[5], ARGV[10])
setDue(ref, ARGV[6])
return 1
`,
};

import type { Script } from '../script.js';
import { SESSION_KEYS } from './session-keys.js';

/**
 * How long an owned connection counts as in use after a visit by the node at which its client is present. That node
 * visits it every 20 seconds.
 */
const IN_USE_MS = 60_000;

/**
 * Reads a session and notes a request. Arguments: reference, time of the request, the time without a request after which
 * it is not noted, 1 if the client is present at the node, else 0, and the version that the node knows, or empty. Answers
 * version, last request, due time, and the sealed record if it has another version.
 */
export const visitSession: Script = {
  name: 'visit-session',
  lua: `${SESSION_KEYS}
local ref = ARGV[2]
local f = redis.call('HMGET', sessionKey(ref), 'v', 'q', 'd', 'g', 'k')
if not f[1] then return nil end
local q = f[2]
if tonumber(ARGV[3]) - tonumber(q) < tonumber(ARGV[4]) then
  enter(ref, f[4], f[5])
  if f[4] == 'c' and ARGV[5] == '1' then
    redis.call('HSET', sessionKey(ref), 'p', string.format('%.3f', now + ${IN_USE_MS}))
  elseif f[4] == 'c' then
    redis.call('HDEL', sessionKey(ref), 'p')
  end
  if tonumber(ARGV[3]) > tonumber(q) then
    q = ARGV[3]
    redis.call('HSET', sessionKey(ref), 'q', q)
  end
end
return { f[1], q, f[3], f[1] ~= ARGV[6] and redis.call('HGET', sessionKey(ref), 'r') }
`,
};

import type { Script } from '../script.js';
import { SESSION_KEYS } from './session-keys.js';

/** Removes a session. Arguments: reference, reason. Answers reference, version, last request, due time, record, number. */
export const takeSession: Script = {
  name: 'take-session',
  lua: `${SESSION_KEYS}
return remove(ARGV[2], ARGV[3])
`,
};

/**
 * Reads a session. Arguments: reference, and the version that the node knows. Answers version, last request, due time,
 * and the sealed record if it has another version.
 */
export const readSession: Script = {
  name: 'read-session',
  lua: `${SESSION_KEYS}
local f = redis.call('HMGET', sessionKey(ARGV[2]), 'v', 'q', 'd')
if not f[1] then return nil end
return { f[1], f[2], f[3], f[1] ~= ARGV[3] and redis.call('HGET', sessionKey(ARGV[2]), 'r') }
`,
};

/** The reason of an end. Argument: reference. */
export const endReason: Script = {
  name: 'end-reason',
  lua: `
local untilMs = redis.call('ZSCORE', P .. 'ends', ARGV[2])
if not untilMs or tonumber(untilMs) <= now then return nil end
local reason = redis.call('HGET', P .. 'reasons', ARGV[2])
return reason and string.match(reason, '%d+')
`,
};

/** The references with an index key. Argument: the key. */
export const refsOfIndex: Script = {
  name: 'refs-of-index',
  lua: `${SESSION_KEYS}
local refs = {}
for _, ref in ipairs(redis.call('ZRANGE', P .. 'i:' .. ARGV[2], 0, -1)) do
  if redis.call('EXISTS', sessionKey(ref)) == 1 then refs[#refs + 1] = ref
  else redis.call('ZREM', P .. 'i:' .. ARGV[2], ref) end
end
return refs
`,
};

/** Sets when a session is due. Arguments: reference, time. */
export const postponeSession: Script = {
  name: 'postpone-session',
  lua: `${SESSION_KEYS}
if redis.call('EXISTS', sessionKey(ARGV[2])) == 0 then return 0 end
redis.call('HSET', sessionKey(ARGV[2]), 'd', ARGV[3])
setDue(ARGV[2], ARGV[3])
return 1
`,
};

/** Takes sessions that are due, which are due again after a lease. Arguments: maximum number, lease. */
export const dueSessions: Script = {
  name: 'due-sessions',
  lua: `${SESSION_KEYS}
local refs = {}
for _, ref in ipairs(redis.call('ZRANGEBYSCORE', P .. 'due', '-inf', now, 'LIMIT', 0, ARGV[2])) do
  if redis.call('EXISTS', sessionKey(ref)) == 1 then
    redis.call('ZADD', P .. 'due', string.format('%.3f', now + ARGV[3]), ref)
    refs[#refs + 1] = ref
  else
    redis.call('ZREM', P .. 'due', ref)
    redis.call('SREM', P .. 'refs', ref)
  end
end
return refs
`,
};

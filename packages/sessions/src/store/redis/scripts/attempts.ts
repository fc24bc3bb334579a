import type { Script } from '../script.js';
import { ATTEMPT_KEYS } from './attempt-keys.js';

/**
 * Finds an attempt. Arguments: `key`, `st`, `ck` or `latest`, and the key, the state, the cookie, or the session and the
 * provider. Answers key, version, due time, record, what is kept when it has failed, and how another one has ended it.
 */
export const findAttempt: Script = {
  name: 'find-attempt',
  lua: `${ATTEMPT_KEYS}
local by, key = ARGV[2], ARGV[3]
if by == 'latest' then key = redis.call('HGET', P .. 'attempts:of:' .. ARGV[3], ARGV[4])
elseif by ~= 'key' then key = redis.call('GET', P .. by .. ':' .. ARGV[3]) end
return key and read(key) or nil
`,
};

/** The pending attempts of a session, or of all. Argument: the session, or nothing. */
export const pendingAttempts: Script = {
  name: 'pending-attempts',
  lua: `${ATTEMPT_KEYS}
local keys
if ARGV[2] then
  keys = redis.call('HVALS', P .. 'attempts:of:' .. ARGV[2])
  local place = {}
  for _, key in ipairs(keys) do place[key] = tonumber(redis.call('HGET', attemptKey(key), 'n') or 0) end
  table.sort(keys, function(a, b) return place[a] < place[b] end)
else
  keys = redis.call('ZRANGE', P .. 'attempts', 0, -1)
end
local answer = {}
for _, key in ipairs(keys) do if isPending(key) then answer[#answer + 1] = read(key) end end
return answer
`,
};

/**
 * Replaces an attempt. Arguments: key, the version that it must have, its version, and either due time, record, what is
 * kept when it has failed, state and cookie; or only the record of one that has failed. Answers 1 if it was replaced.
 */
export const replaceAttempt: Script = {
  name: 'replace-attempt',
  lua: `${ATTEMPT_KEYS}
local key = ARGV[2]
if redis.call('HGET', attemptKey(key), 'v') ~= ARGV[3] or isForgotten(key) then return 0 end
if #ARGV == 5 then
  if isPending(key) then fail(key, ARGV[4], 0, ARGV[5])
  else redis.call('HSET', attemptKey(key), 'v', ARGV[4], 'o', 0, 'm', ARGV[5]) end
  return 1
end
if not isPending(key) then return 0 end
setPending(key, ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9])
return 1
`,
};

/** Removes a pending attempt. Arguments: key, the version that it must have. Answers 1 if it was removed. */
export const removeAttempt: Script = {
  name: 'remove-attempt',
  lua: `${ATTEMPT_KEYS}
local key = ARGV[2]
if redis.call('HGET', attemptKey(key), 'v') ~= ARGV[3] or not isPending(key) then return 0 end
forget(key)
return 1
`,
};

/** Sets when a pending attempt is due. Arguments: key, time. */
export const postponeAttempt: Script = {
  name: 'postpone-attempt',
  lua: `${ATTEMPT_KEYS}
if not isPending(ARGV[2]) then return 0 end
redis.call('HSET', attemptKey(ARGV[2]), 'd', ARGV[3])
setDue(ARGV[2], ARGV[3])
return 1
`,
};

/** Takes attempts that are due, which are due again after a lease. Arguments: maximum number, lease. */
export const dueAttempts: Script = {
  name: 'due-attempts',
  lua: `${ATTEMPT_KEYS}
local keys = {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', P .. 'attempts:due', '-inf', now, 'LIMIT', 0, ARGV[2])) do
  if isPending(key) then
    redis.call('ZADD', P .. 'attempts:due', string.format('%.3f', now + ARGV[3]), key)
    keys[#keys + 1] = key
  else
    unpend(key)
  end
end
return keys
`,
};

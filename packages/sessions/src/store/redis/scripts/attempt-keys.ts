import { FAILED_LOGIN_KEPT_MS, MAX_FAILED_LOGINS } from '../../../login/attempt-store.js';

/** How long after its due time an attempt that no node has looked at is kept: all nodes are down then. */
const SLACK_MS = 60 * 60_000;

/** The number of failed attempts that one script forgets besides its work: more than one, so that none accumulate. */
const FORGOTTEN = 10;
/** How long states and cookies are kept: longer than any attempt. */
const INDEX_MS = 24 * 60 * 60_000;

/**
 * Functions about the keys of login attempts. All names are HMACs.
 *
 * - `a:<key>`: a hash of version `v`, due time `d`, the sealed pending attempt `r`, what is sealed of it once it has
 *   failed `m`, how it was ended by another one `o`, quota key `k`, session `s`, provider `p`, the state `st` and the
 *   cookie `ck` of its transactions, the number of its insertion `n`, and the time of its failure `e`. One without `r` has failed.
 * - `attempts`: pending attempts in the order of their insertion. `attempts:q:<quota key>`: those of a quota key.
 *   `attempts:sizes`: quota keys by number. `attempts:due`: attempts by due time. `attempts:seq`: the latest insertion.
 * - `attempts:failed`: failed attempts in the order of their ends. `attempts:of:<session>`: the latest attempt of each provider.
 * - `st:<state>`, `ck:<cookie>`: attempts.
 */
export const ATTEMPT_KEYS: string = `
local function attemptKey(key) return P .. 'a:' .. key end

local function isPending(key) return redis.call('HEXISTS', attemptKey(key), 'r') == 1 end

local function dropIf(index, value, key)
  if value and value ~= '' and redis.call('GET', P .. index .. value) == key then redis.call('DEL', P .. index .. value) end
end

local function dropLatest(session, provider, key)
  local of = P .. 'attempts:of:' .. session
  if redis.call('HGET', of, provider) == key then redis.call('HDEL', of, provider) end
end

-- Removes an attempt from what finds pending ones. It stays the latest of its session.
local function unpend(key)
  local f = redis.call('HMGET', attemptKey(key), 'k', 'st', 'ck')
  redis.call('ZREM', P .. 'attempts:due', key)
  if redis.call('ZREM', P .. 'attempts', key) == 0 then return end
  if not f[1] then return end
  redis.call('ZREM', P .. 'attempts:q:' .. f[1], key)
  if tonumber(redis.call('ZINCRBY', P .. 'attempts:sizes', -1, f[1])) <= 0 then
    redis.call('ZREM', P .. 'attempts:sizes', f[1])
  end
  dropIf('ck:', f[3], key)
end

-- Removes what is left of an attempt.
local function forget(key)
  unpend(key)
  local f = redis.call('HMGET', attemptKey(key), 's', 'p', 'st')
  redis.call('ZREM', P .. 'attempts:failed', key)
  redis.call('DEL', attemptKey(key))
  if not f[1] then return end
  dropLatest(f[1], f[2], key)
  dropIf('st:', f[3], key)
end

local function endedTooEarly(endedAt) return endedAt and tonumber(endedAt) <= now - ${FAILED_LOGIN_KEPT_MS} end

local function forgetFailed()
  for _ = 1, ${FORGOTTEN} do
    local oldest = redis.call('ZRANGE', P .. 'attempts:failed', 0, 0)[1]
    if not oldest then return end
    local endedAt = redis.call('HGET', attemptKey(oldest), 'e')
    local isFull = redis.call('ZCARD', P .. 'attempts:failed') > ${MAX_FAILED_LOGINS}
    if endedAt and not endedTooEarly(endedAt) and not isFull then return end
    forget(oldest)
  end
end

-- Whether an attempt has failed too long ago.
local function isForgotten(key) return endedTooEarly(redis.call('HGET', attemptKey(key), 'e')) end

-- Ends a pending attempt as failed. Its secrets are gone after that.
local function fail(key, version, outcome, minimal)
  unpend(key)
  redis.call('HDEL', attemptKey(key), 'r', 'd')
  redis.call('HSET', attemptKey(key), 'v', version, 'o', outcome, 'e', string.format('%.3f', now))
  if minimal then redis.call('HSET', attemptKey(key), 'm', minimal) end
  redis.call('ZADD', P .. 'attempts:failed', redis.call('INCR', P .. 'attempts:seq'), key)
  redis.call('PEXPIRE', attemptKey(key), ${FAILED_LOGIN_KEPT_MS + 60_000})
  forgetFailed()
end

local function setDue(key, d)
  if tonumber(d) == math.huge then
    redis.call('ZREM', P .. 'attempts:due', key)
    redis.call('PERSIST', attemptKey(key))
  else
    redis.call('ZADD', P .. 'attempts:due', d, key)
    redis.call('PEXPIRE', attemptKey(key), string.format('%.0f', math.max(tonumber(d) - now, 0) + ${SLACK_MS}))
  end
end

-- Sets the fields of a pending attempt: version, due time, records, state and cookie.
local function setPending(key, v, d, r, m, st, ck)
  local f = redis.call('HMGET', attemptKey(key), 'st', 'ck')
  if f[1] ~= st then dropIf('st:', f[1], key) end
  if f[2] ~= ck then dropIf('ck:', f[2], key) end
  redis.call('HSET', attemptKey(key), 'v', v, 'd', d, 'r', r, 'm', m, 'st', st, 'ck', ck)
  if st ~= '' then redis.call('SET', P .. 'st:' .. st, key, 'PX', ${INDEX_MS}) end
  if ck ~= '' then redis.call('SET', P .. 'ck:' .. ck, key, 'PX', ${INDEX_MS}) end
  setDue(key, d)
end

local function read(key)
  if isForgotten(key) then return nil end
  local f = redis.call('HMGET', attemptKey(key), 'v', 'd', 'r', 'm', 'o')
  if not f[1] then return nil end
  return { key, f[1], f[2], f[3], f[4], f[5] }
end
`;

/** The end reasons that the engine knows as numbers: their places in this list, which only grows. */
export const END_REASONS = [
  'logout',
  'idle',
  'absolute',
  'disconnect',
  'operator',
  'account_cap',
  'other_user',
  'provider_logout',
  'deleted',
  'connection_expired',
  'cap',
  'shutdown',
  'replaced',
  'login_expired',
] as const;

/** The maximum number of end reasons that are kept. */
const MAX_END_REASONS = 10_000;
const END_REASON_MS = 10 * 60_000;
/** More than the number of writes between two failovers. Numbers of writes stay exact for 2 million failovers. */
export const NUMBERS_OF_A_RUN: number = 2 ** 32;
/** How long after its due time a session that no node has looked at is kept: all nodes are down then. */
const SLACK_MS = 24 * 60 * 60_000;

/**
 * Functions about the keys of sessions:
 *
 * - `s:<ref>`: a hash of version `v`, the numbers of its latest write `n` and of its first `b`, last request `q`, due
 *   time `d`, sealed record `r`, group `g` (`a`: without a login, `c`: an owned connection, empty: none), share `k`, index
 *   keys `i`, and of an owned connection until when it counts as in use, `p`.
 * - `refs`: all references. `due`: references by due time. `seq`: the number of the latest write, or change of an order.
 * - `share:<group>:<share>`: the references of a share, in the order of their last visits. `sizes`: the shares of `a` by
 *   size. `anon`: the sum of them.
 * - `i:<key>`: the references with an index key, in the order in which they got it.
 * - `ends`, `reasons`: until when the reason of an end is kept; the reason and the number of the end.
 *
 * A record that has expired may have left its reference in the sets. Scripts that come upon it remove it.
 */
export const SESSION_KEYS: string = `
local function sessionKey(ref) return P .. 's:' .. ref end
local function shareKey(g, k) return P .. 'share:' .. g .. ':' .. k end
local function nextSeq() return redis.call('INCR', P .. 'seq') end

local function resize(g, k, by)
  if g ~= 'a' then return end
  redis.call('INCRBY', P .. 'anon', by)
  if tonumber(redis.call('ZINCRBY', P .. 'sizes', by, k)) <= 0 then redis.call('ZREM', P .. 'sizes', k) end
end

local function leave(ref, g, k)
  if g ~= '' and redis.call('ZREM', shareKey(g, k), ref) == 1 then resize(g, k, -1) end
end

local function enter(ref, g, k)
  if g ~= '' and redis.call('ZADD', shareKey(g, k), nextSeq(), ref) == 1 then resize(g, k, 1) end
end

local function setDue(ref, d)
  local due = tonumber(d)
  if due == math.huge then
    redis.call('ZREM', P .. 'due', ref)
    redis.call('PERSIST', sessionKey(ref))
  else
    redis.call('ZADD', P .. 'due', d, ref)
    redis.call('PEXPIRE', sessionKey(ref), string.format('%.0f', math.max(due - now, 0) + ${SLACK_MS}))
  end
end

local function hasWord(list, word) return string.find(' ' .. list .. ' ', ' ' .. word .. ' ', 1, true) end

local function setIndex(ref, before, after)
  for name in string.gmatch(before, '%S+') do
    if not hasWord(after, name) then redis.call('ZREM', P .. 'i:' .. name, ref) end
  end
  for name in string.gmatch(after, '%S+') do
    if not hasWord(before, name) then redis.call('ZADD', P .. 'i:' .. name, nextSeq(), ref) end
  end
end

-- Sets a session, whether there is one or not.
local function set(ref, n, v, q, d, r, g, k, i)
  local f = redis.call('HMGET', sessionKey(ref), 'q', 'g', 'k', 'i', 'b')
  if f[1] and tonumber(f[1]) > tonumber(q) then q = f[1] end
  redis.call(
    'HSET', sessionKey(ref), 'v', v, 'n', n, 'b', f[5] or n, 'q', q, 'd', d, 'r', r, 'g', g, 'k', k, 'i', i
  )
  redis.call('SADD', P .. 'refs', ref)
  if f[2] ~= g or f[3] ~= k then
    if f[2] then leave(ref, f[2], f[3]) end
    enter(ref, g, k)
  end
  setIndex(ref, f[4] or '', i)
  setDue(ref, d)
end

local function forgetEnds()
  local gone = redis.call('ZRANGEBYSCORE', P .. 'ends', '-inf', now, 'LIMIT', 0, 10)
  if #gone == 0 and redis.call('ZCARD', P .. 'ends') > ${MAX_END_REASONS} then
    gone = redis.call('ZRANGE', P .. 'ends', 0, 0)
  end
  if #gone == 0 then return end
  redis.call('ZREM', P .. 'ends', unpack(gone))
  redis.call('HDEL', P .. 'reasons', unpack(gone))
end

local function noteEnd(ref, reason, n)
  redis.call('ZADD', P .. 'ends', string.format('%.3f', now + ${END_REASON_MS}), ref)
  redis.call('HSET', P .. 'reasons', ref, string.format('%s %.0f', reason, n))
  redis.call('PEXPIRE', P .. 'ends', ${END_REASON_MS})
  redis.call('PEXPIRE', P .. 'reasons', ${END_REASON_MS})
  forgetEnds()
end

-- Removes a session. Returns its reference, what was kept of it, and the number of its end, or nil.
local function remove(ref, reason, n)
  local f = redis.call('HMGET', sessionKey(ref), 'v', 'q', 'd', 'r', 'g', 'k', 'i')
  if not f[1] then return nil end
  leave(ref, f[5], f[6])
  setIndex(ref, f[7], '')
  redis.call('DEL', sessionKey(ref))
  redis.call('ZREM', P .. 'due', ref)
  redis.call('SREM', P .. 'refs', ref)
  n = n or nextSeq()
  noteEnd(ref, reason, n)
  return { ref, f[1], f[2], f[3], f[4], n }
end
`;

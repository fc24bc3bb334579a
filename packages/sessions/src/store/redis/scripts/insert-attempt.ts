import type { Script } from '../script.js';
import { ATTEMPT_KEYS } from './attempt-keys.js';

/** How an attempt was ended by another one. */
export const ENDED_BY_OTHER = { superseded: 1, evicted: 2 } as const;

/** How long a session has a list of its latest attempts, renewed by each. Longer than any attempt. */
const LATEST_MS = 24 * 60 * 60_000;

/**
 * Adds a pending attempt, in one step with what it supersedes and evicts. Arguments: key, version, due time, record,
 * what is kept of it when it has failed, quota key, session, provider, state, cookie, the attempt that it replaces or
 * empty, maximum of the session, maximum of all. Answers `changed`, `session_full`, `full`, or `inserted` and the two
 * attempts as they were, each empty if there is none.
 */
export const insertAttempt: Script = {
  name: 'insert-attempt',
  lua: `${ATTEMPT_KEYS}
local key, k, session, provider = ARGV[2], ARGV[7], ARGV[8], ARGV[9]
local maxPerSession, maxAttempts = tonumber(ARGV[13]), tonumber(ARGV[14])
local of = P .. 'attempts:of:' .. session

local superseded = redis.call('HGET', of, provider)
if superseded and not isPending(superseded) then superseded = false end
if (superseded or '') ~= ARGV[12] then return { 'changed' } end
local count = superseded and -1 or 0
for _, each in ipairs(redis.call('HVALS', of)) do if isPending(each) then count = count + 1 end end
if count >= maxPerSession then return { 'session_full' } end

local hasExpired = false
local function withoutConsent(list)
  for _, each in ipairs(list) do
    local state = redis.call('HGET', attemptKey(each), 'st')
    if not state then hasExpired = true elseif state == '' then return each end
  end
end

local function candidate()
  local largest = redis.call('ZREVRANGE', P .. 'attempts:sizes', 0, 0)[1]
  if not largest then return nil end
  local list = redis.call('ZRANGE', P .. 'attempts:q:' .. largest, 0, -1)
  local first = withoutConsent(list)
  if first then return first end
  if #list > redis.call('ZCARD', P .. 'attempts:q:' .. k) + 1 then return list[1] end
  return withoutConsent(redis.call('ZRANGE', P .. 'attempts', 0, -1))
end

-- Attempts that have expired while all nodes were down.
local function dropExpired()
  for _, each in ipairs(redis.call('ZRANGE', P .. 'attempts', 0, -1)) do
    if not isPending(each) then redis.call('ZREM', P .. 'attempts', each) end
  end
  for _, quota in ipairs(redis.call('ZRANGE', P .. 'attempts:sizes', 0, -1)) do
    for _, each in ipairs(redis.call('ZRANGE', P .. 'attempts:q:' .. quota, 0, -1)) do
      if not isPending(each) then redis.call('ZREM', P .. 'attempts:q:' .. quota, each) end
    end
    local size = redis.call('ZCARD', P .. 'attempts:q:' .. quota)
    if size > 0 then redis.call('ZADD', P .. 'attempts:sizes', size, quota)
    else redis.call('ZREM', P .. 'attempts:sizes', quota) end
  end
end

local function isFull() return not superseded and redis.call('ZCARD', P .. 'attempts') >= maxAttempts end
local evicted = isFull() and candidate()
if hasExpired then
  dropExpired()
  evicted = isFull() and candidate()
end
if isFull() and not evicted then return { 'full' } end

local answer = { 'inserted', superseded and read(superseded) or '', evicted and read(evicted) or '' }
if superseded then fail(superseded, ARGV[3], ${ENDED_BY_OTHER.superseded}) end
if evicted then fail(evicted, ARGV[3], ${ENDED_BY_OTHER.evicted}) end

local seq = redis.call('INCR', P .. 'attempts:seq')
redis.call('HSET', attemptKey(key), 'k', k, 's', session, 'p', provider, 'n', seq)
redis.call('ZADD', P .. 'attempts', seq, key)
redis.call('ZADD', P .. 'attempts:q:' .. k, seq, key)
redis.call('ZINCRBY', P .. 'attempts:sizes', 1, k)
redis.call('HSET', of, provider, key)
redis.call('PEXPIRE', of, ${LATEST_MS})
setPending(key, ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[10], ARGV[11])
return answer
`,
};

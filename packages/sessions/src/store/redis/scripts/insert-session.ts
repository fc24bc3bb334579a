import type { Script } from '../script.js';
import { END_REASONS, SESSION_KEYS } from './session-keys.js';

/** The maximum number of sessions that one answer asks about. */
const MAX_ASKED = 50;

/**
 * Adds a session if there is room, or room can be made. Arguments: reference, version, last request, due time, sealed
 * record, group, share, index keys, maximum of all, maximum without a login, maximum of the share or empty, its minimum
 * idle time, the number of the references that follow whose clients are absent, those, and those that are present.
 *
 * Answers `inserted`, the number of the write and what was removed, `exists`, `full`, `share_full` and the wait, or `ask` and references: the node
 * has to say whether their clients are present.
 */
export const insertSession: Script = {
  name: 'insert-session',
  lua: `${SESSION_KEYS}
local ref, g, k = ARGV[2], ARGV[7], ARGV[8]
local maxSessions, maxAnonymous, shareMax, minIdle = tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12], ARGV[13]
if redis.call('EXISTS', sessionKey(ref)) == 1 then return { 'exists' } end

local isAbsent, isPresent = {}, {}
local absent = tonumber(ARGV[14])
for at = 15, #ARGV do
  if at < 15 + absent then isAbsent[ARGV[at]] = true else isPresent[ARGV[at]] = true end
end

local instead
if shareMax ~= '' and g ~= '' and redis.call('ZCARD', shareKey(g, k)) >= tonumber(shareMax) then
  local asked, hasRoom = {}, false
  for _, each in ipairs(redis.call('ZRANGE', shareKey(g, k), 0, -1)) do
    local q, p = unpack(redis.call('HMGET', sessionKey(each), 'q', 'p'))
    -- In use, perhaps at another node.
    if p and tonumber(p) > now then isPresent[each], isAbsent[each] = true, nil end
    if not q then
      leave(each, g, k)
      redis.call('SREM', P .. 'refs', each)
      hasRoom = redis.call('ZCARD', shareKey(g, k)) < tonumber(shareMax)
      if hasRoom then break end
    elseif #asked > 0 or not (isAbsent[each] or isPresent[each]) then
      if not (isAbsent[each] or isPresent[each]) then asked[#asked + 1] = each end
      if #asked == ${MAX_ASKED} then break end
    elseif isAbsent[each] then
      local wait = tonumber(q) + tonumber(minIdle) - now
      if wait > 0 then return { 'share_full', string.format('%.3f', wait) } end
      instead = each
      break
    end
  end
  if not hasRoom and #asked > 0 then return { 'ask', unpack(asked) } end
  if not hasRoom and not instead then return { 'share_full', minIdle } end
end

local function isFull()
  local gone = instead and 1 or 0
  local size = redis.call('SCARD', P .. 'refs') - gone
  local anonymous = tonumber(redis.call('GET', P .. 'anon') or 0) - (g == 'a' and gone or 0)
  return size >= maxSessions or (g == 'a' and anonymous >= maxAnonymous), anonymous
end
local full, anonymous = isFull()
if full and anonymous <= 0 then return { 'full' } end

local n = nextSeq()
local answer = { 'inserted', n }
if instead then
  answer[#answer + 1] = remove(instead, ${END_REASONS.indexOf('cap')})
  instead = nil
end
while full do
  local largest = redis.call('ZREVRANGE', P .. 'sizes', 0, 0)[1]
  local oldest = largest and redis.call('ZRANGE', shareKey('a', largest), 0, 0)[1]
  if not oldest then break end
  local removed = remove(oldest, ${END_REASONS.indexOf('cap')})
  if removed then
    answer[#answer + 1] = removed
    full = false
  else
    leave(oldest, 'a', largest)
    redis.call('SREM', P .. 'refs', oldest)
    full = isFull()
  end
end

set(ref, n, unpack(ARGV, 3, 9))
return answer
`,
};

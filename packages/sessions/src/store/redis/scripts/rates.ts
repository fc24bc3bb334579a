import type { Script } from '../script.js';

const MINUTE_MS = 60_000;

/**
 * Counts an event against a limit (GCRA). `rate:<key>` is when the bucket of a key is full again. Arguments: key,
 * events in a minute, 1 to count or 0 to look. Answers the number of seconds after which an event is allowed, or
 * nothing.
 */
export const takeRate: Script = {
  name: 'take-rate',
  lua: `
local key = P .. 'rate:' .. ARGV[2]
local whole = math.floor(now)
local interval = math.floor(${MINUTE_MS} / tonumber(ARGV[3]))
local full = math.max(tonumber(redis.call('GET', key) or 0), whole)
local wait = full + interval - whole - ${MINUTE_MS}
if wait > 0 then return math.ceil(wait / 1000) end
if ARGV[4] == '1' then
  full = full + interval
  redis.call('SET', key, string.format('%.0f', full), 'PX', string.format('%.0f', full - whole + 1000))
end
return nil
`,
};

import { MAX_ISSUED, MAX_ISSUED_PER_SESSION, MAX_USED_PER_ISSUER } from '../../../limits/one-time-store.js';
import type { Script } from '../script.js';

/** The number of expired names that one script forgets besides its work: more than one, so that none accumulate. */
const FORGOTTEN = 10;

/**
 * Functions about names that can be redeemed:
 *
 * - `once`: names by their expiry. `once:of`: session and client of each. `once:seq`: the number of the latest.
 * - `once:s:<session>`, `once:c:<client>`: names in the order in which they were issued. `once:sizes`: clients by number.
 */
const ISSUED = `
local function forget(name)
  local of = redis.call('HGET', P .. 'once:of', name)
  redis.call('ZREM', P .. 'once', name)
  if not of then return end
  redis.call('HDEL', P .. 'once:of', name)
  local session, client = string.match(of, '(%S+) (%S+)')
  redis.call('ZREM', P .. 'once:s:' .. session, name)
  redis.call('ZREM', P .. 'once:c:' .. client, name)
  if tonumber(redis.call('ZINCRBY', P .. 'once:sizes', -1, client)) <= 0 then
    redis.call('ZREM', P .. 'once:sizes', client)
  end
end
`;

/** Notes a name. Arguments: name, session, client, expiry. */
export const issueName: Script = {
  name: 'issue-name',
  lua: `${ISSUED}
local name, session, client = ARGV[2], ARGV[3], ARGV[4]
local expired = redis.call('ZRANGEBYSCORE', P .. 'once', '-inf', now, 'LIMIT', 0, ${FORGOTTEN})
for _, each in ipairs(expired) do forget(each) end
forget(name)
if redis.call('ZCARD', P .. 'once:s:' .. session) >= ${MAX_ISSUED_PER_SESSION} then
  forget(redis.call('ZRANGE', P .. 'once:s:' .. session, 0, 0)[1])
elseif redis.call('ZCARD', P .. 'once') >= ${MAX_ISSUED} then
  local largest = redis.call('ZREVRANGE', P .. 'once:sizes', 0, 0)[1]
  forget(redis.call('ZRANGE', P .. 'once:c:' .. largest, 0, 0)[1])
end
local seq = redis.call('INCR', P .. 'once:seq')
redis.call('ZADD', P .. 'once', ARGV[5], name)
redis.call('HSET', P .. 'once:of', name, session .. ' ' .. client)
redis.call('ZADD', P .. 'once:s:' .. session, seq, name)
redis.call('ZADD', P .. 'once:c:' .. client, seq, name)
redis.call('ZINCRBY', P .. 'once:sizes', 1, client)
return 1
`,
};

/** Redeems a name. Argument: name. Answers 1 for the first caller while the name is valid, else 0. */
export const redeemName: Script = {
  name: 'redeem-name',
  lua: `${ISSUED}
local untilMs = redis.call('ZSCORE', P .. 'once', ARGV[2])
forget(ARGV[2])
return untilMs and tonumber(untilMs) > now and 1 or 0
`,
};

/**
 * Notes the use of a name. `used:<issuer>` has names by expiry, `used:o:<issuer>` in their order. Arguments: issuer,
 * name, expiry. Answers 1 for the first use, else 0.
 */
export const useName: Script = {
  name: 'use-name',
  lua: `
local names, order = P .. 'used:' .. ARGV[2], P .. 'used:o:' .. ARGV[2]
local function forget(each)
  redis.call('ZREM', names, each)
  redis.call('ZREM', order, each)
end
local expired = redis.call('ZRANGEBYSCORE', names, '-inf', now, 'LIMIT', 0, ${FORGOTTEN})
for _, each in ipairs(expired) do forget(each) end
local untilMs = redis.call('ZSCORE', names, ARGV[3])
if untilMs and tonumber(untilMs) > now then return 0 end
forget(ARGV[3])
if redis.call('ZCARD', names) >= ${MAX_USED_PER_ISSUER} then forget(redis.call('ZRANGE', order, 0, 0)[1]) end
redis.call('ZADD', names, ARGV[4], ARGV[3])
redis.call('ZADD', order, redis.call('INCR', P .. 'once:seq'), ARGV[3])
-- The last name to expire ends both.
local last = redis.call('ZREVRANGE', names, 0, 0, 'WITHSCORES')[2]
local ttl = string.format('%.0f', math.max(tonumber(last) - now, 0) + 1000)
redis.call('PEXPIRE', names, ttl)
redis.call('PEXPIRE', order, ttl)
return 1
`,
};

/** Forgets the use of a name. Arguments: issuer, name. */
export const releaseName: Script = {
  name: 'release-name',
  lua: `
redis.call('ZREM', P .. 'used:' .. ARGV[2], ARGV[3])
redis.call('ZREM', P .. 'used:o:' .. ARGV[2], ARGV[3])
return 1
`,
};

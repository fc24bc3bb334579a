import type { Script } from '../script.js';

/**
 * Functions about the ids of master keys:
 *
 * - `keys:nodes`: a hash of the nodes, by random ids. Each has the time until which it counts, and the ids of its master
 *   keys: it seals with the first and opens with all.
 * - `keys:used`: a set of the ids of the keys under which there may be records.
 * - `keys:mover`: the node that seals records again, until its lease ends.
 */
const KEY_IDS = `
local function hasWord(list, word) return string.find(' ' .. list .. ' ', ' ' .. word .. ' ', 1, true) end

-- The ids of the keys of all nodes that count, by node.
local function liveNodes()
  local fields = redis.call('HGETALL', P .. 'keys:nodes')
  local live = {}
  for at = 1, #fields, 2 do
    local untilMs, ids = string.match(fields[at + 1], '^(%S+) (.*)$')
    if tonumber(untilMs) > now then live[fields[at]] = ids
    else redis.call('HDEL', P .. 'keys:nodes', fields[at]) end
  end
  return live
end
`;

/**
 * Notes the master keys of a node, unless they do not fit. Arguments: node, the ids of its keys separated by spaces, the
 * id of the key of the marker, the time for which the node counts. Answers `missing` and the id of a key that the node
 * needs; `unaccepted` if it would seal with a key that another node does not have; or `joined`, 1 if all nodes seal with
 * the same key, else 0, and the ids of the keys under which there may be records.
 */
export const announceKeys: Script = {
  name: 'announce-keys',
  lua: `${KEY_IDS}
local node, own = ARGV[2], ARGV[3]
local first = string.match(own, '%S+')
for _, id in ipairs(redis.call('SMEMBERS', P .. 'keys:used')) do
  if not hasWord(own, id) then return { 'missing', id } end
end
local nodes = liveNodes()
local isAgreed = 1
for each, ids in pairs(nodes) do
  if each ~= node then
    -- One that has announced its keys may have sealed with the first already.
    if not nodes[node] and not hasWord(ids, first) then return { 'unaccepted' } end
    if string.match(ids, '%S+') ~= first then isAgreed = 0 end
  end
end
redis.call('SADD', P .. 'keys:used', first, ARGV[4])
redis.call('HSET', P .. 'keys:nodes', node, string.format('%.3f', now + ARGV[5]) .. ' ' .. own)
redis.call('PEXPIRE', P .. 'keys:nodes', ARGV[5])
return { 'joined', isAgreed, unpack(redis.call('SMEMBERS', P .. 'keys:used')) }
`,
};

/** Forgets a node that writes nothing any more. Argument: node. */
export const leaveKeys: Script = {
  name: 'leave-keys',
  lua: `
if redis.call('GET', P .. 'keys:mover') == ARGV[2] then redis.call('DEL', P .. 'keys:mover') end
return redis.call('HDEL', P .. 'keys:nodes', ARGV[2])
`,
};

/**
 * Looks at a part of the records for those that another key has sealed. Arguments: node, lease, `SSCAN` or `ZSCAN`, what
 * has the names of the records, cursor, size of the part, what values under the newest key begin with, what keys begin with,
 * field. Answers the next cursor and names, or nothing if another node does this.
 */
export const findOldSeals: Script = {
  name: 'find-old-seals',
  lua: `
local mover = redis.call('GET', P .. 'keys:mover')
if mover and mover ~= ARGV[2] then return nil end
redis.call('SET', P .. 'keys:mover', ARGV[2], 'PX', ARGV[3])
local header = ARGV[8]
local part = redis.call(ARGV[4], P .. ARGV[5], ARGV[6], 'COUNT', ARGV[7])
local names = {}
for at = 1, #part[2], ARGV[4] == 'ZSCAN' and 2 or 1 do
  local name = part[2][at]
  local sealed = redis.call('HGET', P .. ARGV[9] .. name, ARGV[10])
  if sealed and string.sub(sealed, 1, #header) ~= header then names[#names + 1] = name end
end
return { part[1], names }
`,
};

/**
 * Replaces a sealed value that is unchanged. Arguments: key, field, what no other value begins with, the value after.
 * Answers 1 if it was replaced.
 */
export const replaceSeal: Script = {
  name: 'replace-seal',
  lua: `
local key, field, head = P .. ARGV[2], ARGV[3], ARGV[4]
local sealed = redis.call('HGET', key, field)
if not sealed or string.sub(sealed, 1, #head) ~= head then return 0 end
redis.call('HSET', key, field, ARGV[5])
return 1
`,
};

/**
 * Notes that all records are under one key, unless a node seals with another one. Arguments: node, the id of the key,
 * what values under it begin with. Answers 1 if it was noted.
 */
export const onlyKey: Script = {
  name: 'only-key',
  lua: `${KEY_IDS}
if redis.call('GET', P .. 'keys:mover') ~= ARGV[2] then return 0 end
for _, ids in pairs(liveNodes()) do
  if string.match(ids, '%S+') ~= ARGV[3] then return 0 end
end
if string.sub(redis.call('GET', P .. 'cluster') or '', 1, #ARGV[4]) ~= ARGV[4] then return 0 end
redis.call('DEL', P .. 'keys:used', P .. 'keys:mover')
redis.call('SADD', P .. 'keys:used', ARGV[3])
return 1
`,
};

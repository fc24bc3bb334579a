import type { Script } from '../script.js';
import { SESSION_KEYS } from './session-keys.js';

/**
 * Replaces a session. Arguments: reference, version that it must have, then as `insertSession` from the version to the
 * index keys. Answers the number of the write if it was replaced, else 0.
 */
export const replaceSession: Script = {
  name: 'replace-session',
  lua: `${SESSION_KEYS}
local ref = ARGV[2]
if redis.call('HGET', sessionKey(ref), 'v') ~= ARGV[3] then return 0 end
local n = nextSeq()
set(ref, n, unpack(ARGV, 4, 10))
return n
`,
};

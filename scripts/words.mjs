// Refuses pronouns for unknown people: the subject of a sentence is a client, a user, an operator, a caller or a token.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const WORDS = 'whoever|whomever|anybody|anyone|everybody|everyone|nobody|somebody|someone';
const { status, stdout, stderr } = spawnSync(
  'git',
  ['grep', '--untracked', '-niwE', WORDS, '--', ':!scripts/words.mjs', ':!*package-lock.json'],
  { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8' },
);

// git grep ends with 1 if it finds nothing, and with more than 1 after an error.
if (status === 1) console.log('no unwanted word in sources, tests and documents');
else {
  console.error(status === 0 ? `${stdout}\nName the user, client, operator or caller.` : stderr);
  process.exitCode = 1;
}

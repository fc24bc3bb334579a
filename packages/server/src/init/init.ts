import { existsSync, writeFileSync } from 'node:fs';
import { ConfigurationError } from '../configuration-error.js';
import { wrapped } from '../wrapped.js';
import { type Answers, nextQuestion } from './answers.js';
import { askOn } from './ask.js';
import { fileOf, nextSteps } from './first-file.js';
import { INIT_FLAGS, type InitFlag, parseInitArguments } from './init-flags.js';

/** The command that writes a configuration file. */
export const INIT = 'init';

const DEFAULT_FILE = 'mcp-sessions.yaml';

/** The terminal, if there is one. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Whether questions can be asked. */
  readonly isInteractive: boolean;
}

/**
 * Writes a configuration file. Asks on the terminal what the flags do not say.
 * @param argv the arguments after `init`
 * @throws ConfigurationError if an answer is missing or wrong, or the file exists
 */
export async function init(argv: readonly string[], terminal: Terminal): Promise<void> {
  const { isHelp, given } = parseInitArguments(argv);
  const { output } = terminal;
  if (isHelp) {
    output.write(INIT_USAGE);
    return;
  }
  const { config: file = DEFAULT_FILE, ...answers } = given;
  if (existsSync(file)) throw exists(file);
  const complete = await completed(answers, terminal);
  write(file, fileOf(complete));
  output.write(nextSteps(file, complete));
}

async function completed(given: Partial<Record<InitFlag, string>>, terminal: Terminal): Promise<Answers> {
  const known: Partial<Record<InitFlag, string>> = {};
  const { ask, close } = terminal.isInteractive ? askOn(terminal.input, terminal.output) : preferredAnswers();
  try {
    for (let question = nextQuestion(known); question; question = nextQuestion(known)) {
      const { flag, fault } = question;
      const answer = given[flag];
      const wrong = answer === undefined ? undefined : fault(answer);
      if (wrong !== undefined)
        throw new ConfigurationError(`--${flag} ${wrong}. Run init --help to see its options.`);
      known[flag] = answer ?? (await ask(question));
    }
  } finally {
    close();
  }
  const unused = (Object.keys(given) as InitFlag[]).find((flag) => known[flag] === undefined);
  if (unused) throw new ConfigurationError(`--${unused} has no effect with the other answers. Remove it.`);
  // Every question has an answer.
  return known as Answers;
}

/** Without a terminal, preferred answers apply, and others are required as flags. */
function preferredAnswers(): ReturnType<typeof askOn> {
  return {
    ask: ({ flag, preferred, text }) => {
      if (preferred !== undefined) return Promise.resolve(preferred);
      throw new ConfigurationError(`Without a terminal, init needs --${flag}. ${text}.`);
    },
    close: () => undefined,
  };
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw exists(file);
    throw new ConfigurationError(`${file} cannot be written (${code}). Choose another file with --config.`, {
      cause,
    });
  }
}

function exists(file: string): ConfigurationError {
  return new ConfigurationError(
    `${file} exists and is not overwritten. Remove it, or choose another with --config.`,
  );
}

const COLUMNS = 110;
const WIDTH = 33;

/** The text of `init --help`. */
const INIT_USAGE: string = `Usage: mcp-sessions-server init [options]

Writes a configuration file. Asks on the terminal what the options do not say; without a terminal, --provider and
--client-id are required. A secret is never asked for, and never part of the file.

${Object.entries(INIT_FLAGS)
  .flatMap(([flag, text]) => wrapped(`  --${flag} <…>`.padEnd(WIDTH), text, ' '.repeat(WIDTH), COLUMNS))
  .join('\n')}
`;

import { createInterface } from 'node:readline/promises';
import { ConfigurationError } from '../configuration-error.js';
import type { Question } from './answers.js';

/** Asks one question until its answer is valid. */
export type Ask = (question: Question) => Promise<string>;

/**
 * Asks on a terminal.
 * @returns `ask`, and `close`, after which the program can end
 */
export function askOn(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): { readonly ask: Ask; readonly close: () => void } {
  const terminal = createInterface({ input, output });
  // It keeps lines that are typed or pasted before their question.
  const lines = terminal[Symbol.asyncIterator]();
  const lineFor = async (prompt: string) => {
    terminal.setPrompt(prompt);
    terminal.prompt();
    const { value, done } = await lines.next();
    if (!done) return value.trim();
    throw new ConfigurationError('\ninit has ended, and no file was written. Run it again.');
  };
  const ask: Ask = async ({ text, preferred, fault }) => {
    const prompt = `${text}${preferred ? ` [${preferred}]` : ''}: `;
    for (;;) {
      const answer = (await lineFor(prompt)) || preferred;
      const wrong = answer === undefined ? 'is needed' : fault(answer);
      if (answer !== undefined && wrong === undefined) return answer;
      output.write(`  The answer ${wrong}.\n`);
    }
  };
  return { ask, close: () => terminal.close() };
}

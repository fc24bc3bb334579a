import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Needles } from '../hygiene/needles.js';

/** How a text appears in others: as it is, in hexadecimal, and in base64 at any offset. */
function formsOf(text: string): string[] {
  const inBase64 = [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.from(' '.repeat(offset) + text);
    // What the neighbors change is left out.
    return [bytes.toString('base64'), bytes.toString('base64url')].map((form) => form.slice(4, -4));
  });
  return [text, Buffer.from(text).toString('hex'), ...new Set(inBase64)];
}

/**
 * Searches the files in a folder and its subfolders for secrets.
 * @param secrets by what they are
 * @returns what was found, and where
 */
export function findSecrets(folder: string, secrets: ReadonlyMap<string, string>): string[] {
  const forms = [...secrets].flatMap(([secret, what]) => formsOf(secret).map((form) => ({ form, what })));
  const needles = new Needles(forms.map(({ form }) => Buffer.from(form)));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return files.flatMap(({ parentPath, name }) => {
    const found = needles.searchFile(join(parentPath, name));
    return [...new Set([...found.keys()].map((index) => `${forms[index]?.what} is in ${name}`))];
  });
}

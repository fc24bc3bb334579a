/** A text as a note quotes it: on one line, short, without what differs from run to run. */
export function quoted(text: string): string {
  const line = text
    .replace(/<\/?untrusted_context>|Wall time: .*|^Output:/gm, '')
    .replace(/\\+"/g, '"')
    .replace(/\s+/g, ' ')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1')
    .replace(/\/connect\/[\w-]+/g, '/connect/…')
    .replace(/("session": ?)"[\w-]+"/g, '$1"…"')
    .trim();
  return `“${line.length > 520 ? `${line.slice(0, 520)}…` : line}”`;
}

/** Whether a host shows its model a message of the protocol that it did not understand itself. */
export function isDump(text: string): boolean {
  return text.includes('input_required');
}

/** @throws if the text does not contain what is expected */
export function expectText(shown: string, expected: string): void {
  if (!shown.includes(expected)) throw new Error(`the model reads ${quoted(shown)}`);
}

/** @throws if the text shows what it must not */
export function expectNoText(shown: string, secret: string): void {
  if (shown.includes(secret)) throw new Error(`LEAK: the model reads ${quoted(shown)}`);
}

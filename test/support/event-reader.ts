import { z } from 'zod';
import { Journal } from './journal.js';

const messageSchema = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
  params: z.looseObject({ uri: z.string().optional() }).optional(),
  result: z.looseObject({}).optional(),
});
type Message = z.infer<typeof messageSchema>;

/** A stream of server-sent events that is read in the background. */
export interface EventReader {
  readonly status: number;
  readonly messages: Journal<Message>;
  /** The ids of the events, including those without a message. */
  readonly eventIds: Journal<string>;
  /** Resolves when the server has ended the stream. */
  readonly ended: Promise<void>;
  /** Closes the connection. */
  close(): void;
}

/** Sends a request and reads the stream of its response in the background. */
export async function readEvents(url: string, init: RequestInit): Promise<EventReader> {
  const dropped = new AbortController();
  const response = await fetch(url, { ...init, signal: dropped.signal });
  const messages = new Journal<Message>();
  const eventIds = new Journal<string>();
  const take = (event: string) => {
    const id = /^id: (.+)$/m.exec(event)?.[1];
    const data = /^data: (.+)$/m.exec(event)?.[1];
    if (id !== undefined) eventIds.add(id);
    if (data !== undefined) messages.add(messageSchema.parse(JSON.parse(data)));
  };
  const read = async () => {
    let rest = '';
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const events = `${rest}${text}`.split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) take(event);
    }
  };
  const ended = read();
  // `drop` rejects this promise, which is an error only for tests that wait for the end.
  ended.catch(() => undefined);
  return { status: response.status, messages, eventIds, ended, close: () => dropped.abort() };
}

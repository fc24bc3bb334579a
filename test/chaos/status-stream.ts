import { z } from 'zod';
import { NODE_HEADER } from './balancer.js';

const messageSchema = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
});
export type StreamMessage = z.infer<typeof messageSchema>;

/** An open stream of server-sent events. */
export interface StatusStream {
  readonly node: string | undefined;
  /** Resolves when the stream has ended, on whatever side. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Opens a stream. @returns `undefined` if the server opens none */
export async function openStream(
  url: string,
  init: RequestInit,
  onMessage: (message: StreamMessage) => void,
): Promise<StatusStream | undefined> {
  const dropped = new AbortController();
  const response = await fetch(url, { ...init, signal: dropped.signal }).catch(() => undefined);
  const { body, headers } = response ?? {};
  if (!response?.ok || !headers?.get('content-type')?.startsWith('text/event-stream') || !body) {
    await body?.cancel();
    return undefined;
  }
  const read = async () => {
    let rest = '';
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const data = /^data: (\{.+)$/.exec(line)?.[1];
        if (data !== undefined) onMessage(messageSchema.parse(JSON.parse(data)));
      }
    }
  };
  const node = headers.get(NODE_HEADER) ?? undefined;
  return { node, ended: read().catch(() => undefined), close: () => dropped.abort() };
}

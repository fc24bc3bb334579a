import { ByteBuilder } from './byte-builder.js';

/** A response is larger than allowed. */
export class TooLargeError extends Error {
  override readonly name = 'TooLargeError';
}

/**
 * Reads the text of a response. Stops as soon as it exceeds the limit, whatever its `Content-Length` says.
 * @throws TooLargeError
 */
export async function readLimitedText({ body, headers }: Response, maxBytes: number): Promise<string> {
  const announced = Number(headers.get('content-length') ?? 0);
  if (announced > maxBytes) {
    await body?.cancel();
    throw new TooLargeError(`More than ${maxBytes} bytes.`);
  }
  const bytes = new ByteBuilder();
  // Leaving the loop early cancels the stream.
  for await (const chunk of body ?? []) {
    if (bytes.size + chunk.length > maxBytes) throw new TooLargeError(`More than ${maxBytes} bytes.`);
    bytes.add(chunk);
  }
  return bytes.text();
}

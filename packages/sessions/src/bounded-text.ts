/** More came than may. */
export class TooLargeError extends Error {
  override readonly name = 'TooLargeError';
}

/**
 * Reads the text of a request or response, and stops as soon as there is more of it than may be, whatever
 * it said of its length.
 * @throws TooLargeError
 */
export async function readBoundedText(message: Request | Response, maxBytes: number): Promise<string> {
  const { body } = message;
  const announced = Number(message.headers.get('content-length') ?? 0);
  if (announced > maxBytes) {
    await body?.cancel();
    throw new TooLargeError(`More than ${maxBytes} bytes.`);
  }
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  // Leaving the loop early cancels the stream.
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new TooLargeError(`More than ${maxBytes} bytes.`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

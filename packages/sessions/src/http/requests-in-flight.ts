import type { ServerResponse } from 'node:http';

/** Counts the requests in flight. Standalone streams and listen streams do not count. */
export class RequestsInFlight {
  #count = 0;
  readonly #waiting: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  /**
   * Counts a request until its answer has been sent, or its client has disconnected.
   * @param answer never rejects
   * @param outgoing Node's response, if there is one
   * @returns the answer
   */
  async track(answer: Promise<Response>, outgoing: ServerResponse | undefined): Promise<Response> {
    this.#count++;
    const end = this.#once();
    if (outgoing) {
      if (outgoing.closed) end();
      else outgoing.once('close', end);
      return answer;
    }
    const response = await answer;
    if (response.body) return new Response(watched(response.body, end), response);
    end();
    return response;
  }

  /** Resolves when no request is in flight. */
  async settled(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #once(): () => void {
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#count--;
      if (this.#count === 0) for (const done of this.#waiting.splice(0)) done();
    };
  }
}

/** The same stream; calls `onEnd` when it has been read to its end, has failed or was cancelled. */
function watched(body: ReadableStream<Uint8Array>, onEnd: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const read = await reader.read().catch((error: unknown) => {
          onEnd();
          throw error;
        });
        if (!read.done) {
          controller.enqueue(read.value);
          return;
        }
        controller.close();
        onEnd();
      },
      cancel(reason) {
        onEnd();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

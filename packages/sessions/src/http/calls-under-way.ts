import type { ServerResponse } from 'node:http';

/** The requests of clients that are being answered. Streams that wait for what comes are not among them. */
export class CallsUnderWay {
  #count = 0;
  readonly #waiting: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  /**
   * Counts a request until its answer has been sent, or its client has gone.
   * @param answer never rejects
   * @param outgoing Node's side of the answer, where there is one
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

  /** Resolves when none is under way. */
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

/** The same bytes; `onEnd` is called when all of them have been read, or no more will be. */
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

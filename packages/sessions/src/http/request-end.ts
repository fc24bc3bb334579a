import type { ServerResponse } from 'node:http';

/**
 * The end of a request: its response has been sent, or its client has disconnected. Outside of Node's HTTP server, the
 * end of its response, which {@link RequestEnd.follow} observes.
 */
export class RequestEnd {
  readonly #outgoing: ServerResponse | undefined;
  readonly #callbacks: (() => void)[] = [];
  #isOver: boolean;

  /** @param outgoing Node's response, if there is one */
  constructor(outgoing: ServerResponse | undefined) {
    this.#outgoing = outgoing;
    this.#isOver = outgoing?.closed ?? false;
    if (!this.#isOver) outgoing?.once('close', () => this.#end());
  }

  /** Calls a function at the end of the request; at once if the request has ended. */
  onEnd(callback: () => void): void {
    if (this.#isOver) callback();
    else this.#callbacks.push(callback);
  }

  /**
   * Returns a response that ends the request.
   * @param answer never rejects
   */
  async follow(answer: Promise<Response>): Promise<Response> {
    const response = await answer;
    if (this.#outgoing) return response;
    const end = () => this.#end();
    if (response.body) return new Response(followed(response.body, end), response);
    end();
    return response;
  }

  #end(): void {
    this.#isOver = true;
    for (const callback of this.#callbacks.splice(0)) callback();
  }
}

/** The same stream; calls `onEnd` when it has been read to its end, has failed or was cancelled. */
function followed(body: ReadableStream<Uint8Array>, onEnd: () => void): ReadableStream<Uint8Array> {
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

/** Counts the requests in flight. Standalone streams and listen streams do not count. */
export class RequestsInFlight {
  #count = 0;
  readonly #onSettled: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  /** Counts a request until its end. */
  add(end: RequestEnd): void {
    this.#count++;
    end.onEnd(() => {
      this.#count--;
      if (this.#count === 0) for (const settled of this.#onSettled.splice(0)) settled();
    });
  }

  /** Resolves when no request is in flight. */
  async settled(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#onSettled.push(resolve));
  }
}

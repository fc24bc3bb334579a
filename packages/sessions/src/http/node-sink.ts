import type { ServerResponse } from 'node:http';
import type { EventSink } from '../mcp/wire/event-sink.js';
import { limitReading } from './connection-limits.js';
import type { RequestEnd } from './request-end.js';

/** Events over a response of Node's HTTP server. */
export class NodeSink implements EventSink {
  readonly #outgoing: ServerResponse;
  readonly #end: RequestEnd;
  #isLimited = false;
  #onRead: () => void = () => undefined;

  constructor(outgoing: ServerResponse, end: RequestEnd) {
    this.#outgoing = outgoing;
    this.#end = end;
  }

  get unreadBytes(): number {
    return this.#outgoing.destroyed ? 0 : this.#outgoing.writableLength;
  }

  get sentBytes(): number {
    const { socket } = this.#outgoing;
    // Node counts what waits in the socket, too.
    return socket ? socket.bytesWritten - socket.writableLength : 0;
  }

  get isClosed(): boolean {
    return this.#outgoing.destroyed;
  }

  start(headers: Readonly<Record<string, string>>): void {
    this.#outgoing.writeHead(200, headers);
    this.#outgoing.flushHeaders();
  }

  write(text: string): void {
    const outgoing = this.#outgoing;
    if (outgoing.destroyed) return;
    // Of a client that reads, nothing is left of the message before.
    if (outgoing.writableLength > 0) this.#limit();
    outgoing.write(text, this.#onRead);
  }

  /** Gives the client a limited time to read. */
  #limit(): void {
    if (this.#isLimited) return;
    this.#isLimited = true;
    limitReading(this.#outgoing);
  }

  end(): void {
    if (this.#outgoing.writableLength > 0) this.#limit();
    this.#outgoing.end();
  }

  destroy(): void {
    this.#outgoing.destroy();
  }

  onClose(run: () => void): void {
    this.#end.onEnd(run);
  }

  onRead(run: () => void): void {
    this.#onRead = run;
  }
}

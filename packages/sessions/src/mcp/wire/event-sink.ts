/** Carries server-sent events to a client without a web-standard response. */
export interface EventSink {
  /** The number of bytes that the client has not read. */
  readonly unreadBytes: number;
  /** The number of bytes that were sent. It increases while the client reads. */
  readonly sentBytes: number;
  readonly isClosed: boolean;
  /** Starts the response, whose status is 200. */
  start(headers: Readonly<Record<string, string>>): void;
  write(text: string): void;
  /** Ends the response after what was written. */
  end(): void;
  /** Closes the connection of the client. */
  destroy(): void;
  /** Calls a function when the response has ended on either side. */
  onClose(run: () => void): void;
  /** Calls a function each time a message has been sent. */
  onRead(run: () => void): void;
}

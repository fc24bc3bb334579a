/** Messages between all nodes that share sessions. Any of them may be lost, or come late. */
export interface Messages {
  /** Says on all nodes that something has changed. It does not say what: receivers read it. */
  publish(topic: string): void;

  /**
   * Calls `run` at each message of a topic.
   * @param run must not throw
   * @returns a function that ends the subscription
   */
  subscribe(topic: string, run: () => void): () => void;

  /**
   * Tells the other nodes something that no record says. It is sealed on the way. This node does not receive it.
   * @param content JSON without arrays of arrays. What is larger than {@link MAX_CONTENT_BYTES} is not sent
   */
  send(topic: string, content: object): void;

  /**
   * Calls `run` with what other nodes send about a topic, which has one receiver at each node. A node of another version
   * may have sent it.
   * @param run must not throw
   */
  receive(topic: string, run: (content: unknown) => void): void;
}

/** The maximum size of what is sent, as JSON. */
export const MAX_CONTENT_BYTES: number = 256 * 1024;

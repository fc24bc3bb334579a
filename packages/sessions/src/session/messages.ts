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
}

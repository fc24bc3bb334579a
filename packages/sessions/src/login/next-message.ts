import type { Messages } from '../session/messages.js';
import type { Clock } from '../time/clock.js';

export interface NextMessageOptions {
  readonly messages: Messages;
  readonly clock: Clock;
}

/** A wait for a message. */
export interface NextMessage {
  /** Resolves at the first message, or when the time is over. */
  readonly arrived: Promise<void>;
  /** Ends the wait. */
  readonly cancel: () => void;
}

/**
 * Waits for a message of one of the topics. Read what it is about after this call and again after it: messages can be
 * lost.
 */
export function nextMessage(
  { messages, clock }: NextMessageOptions,
  topics: readonly string[],
  timeoutMs: number,
): NextMessage {
  let cancel: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => {
    const cancelTimer = clock.after(timeoutMs, () => cancel());
    const unsubscribes = topics.map((topic) => messages.subscribe(topic, () => cancel()));
    cancel = () => {
      cancelTimer();
      for (const unsubscribe of unsubscribes) unsubscribe();
      resolve();
    };
  });
  return { arrived, cancel: () => cancel() };
}

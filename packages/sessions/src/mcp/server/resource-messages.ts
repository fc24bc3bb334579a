import { z } from 'zod';
import type { SessionRef } from '../../session/ids.js';
import { MAX_CONTENT_BYTES, type Messages } from '../../session/messages.js';
import type { SessionSnapshot } from '../../session/session-record.js';
import type { Clock } from '../../time/clock.js';
import { MAX_URI_CHARACTERS } from '../request/client-memory-limits.js';
import type { ResourceUpdates } from '../request/session.js';

export interface ResourceMessagesOptions {
  readonly messages: Pick<Messages, 'send' | 'receive'>;
  readonly updates: ResourceUpdates;
  readonly clock: Clock;
  /** Whether a session is known here to have been signed out since. */
  readonly isOver: (session: SessionSnapshot) => boolean;
  /** Called for each change that is not told, because there are too many. */
  readonly onDropped: () => void;
}

/** The time between two messages. All changes in between are one message. */
const INTERVAL_MS = 50;
/** What an entry takes besides its texts, as JSON. */
const ENTRY_BYTES = 64;
const TOPIC = 'resources';

/** The change of a resource of a session, or of all sessions. */
interface Update {
  readonly uri: string;
  readonly session?: { readonly ref: string; readonly epoch: number } | undefined;
}

const contentSchema = z.object({
  updates: z.array(
    z.object({
      uri: z.string().max(MAX_URI_CHARACTERS),
      session: z.object({ ref: z.string(), epoch: z.number() }).optional(),
    }),
  ),
});

/**
 * Tells other nodes which resources of the author have changed, so that they notify their clients. However often one
 * changes within an interval, it is told once. A client that has subscribed to it reads what it has become.
 */
export class ResourceMessages {
  readonly #options: ResourceMessagesOptions;
  /** What is told at the end of the interval. */
  #waiting = new Map<string, Update>();
  #waitingBytes = 0;
  #isPaused = false;

  constructor(options: ResourceMessagesOptions) {
    this.#options = options;
    const { messages, updates } = options;
    updates.tellOthers = (uri, session) => this.#tell(uri, session);
    messages.receive(TOPIC, (content) => this.#receive(content));
  }

  #tell(uri: string, session: SessionSnapshot | undefined): void {
    // No client can have subscribed to a longer one.
    if (uri.length > MAX_URI_CHARACTERS) return;
    const key = JSON.stringify([uri, session?.ref, session?.epoch]);
    if (this.#waiting.has(key)) return;
    const bytes = Buffer.byteLength(key) + ENTRY_BYTES;
    if (this.#waitingBytes + bytes > MAX_CONTENT_BYTES) {
      this.#options.onDropped();
      return;
    }
    this.#waiting.set(key, { uri, session });
    this.#waitingBytes += bytes;
    if (!this.#isPaused) this.#send();
  }

  #send(): void {
    const { messages, clock } = this.#options;
    this.#isPaused = this.#waiting.size > 0;
    if (!this.#isPaused) return;
    messages.send(TOPIC, { updates: [...this.#waiting.values()] });
    this.#waiting = new Map();
    this.#waitingBytes = 0;
    clock.after(INTERVAL_MS, () => this.#send());
  }

  #receive(content: unknown): void {
    const { updates, isOver } = this.#options;
    const parsed = contentSchema.safeParse(content);
    for (const { uri, session } of parsed.data?.updates ?? []) {
      if (!session) updates.notifyHere(uri);
      // Only references are sent as such. The client may have another user now.
      else if (!isOver({ ...session, ref: session.ref as SessionRef }))
        updates.notifyHere(uri, session.ref as SessionRef);
    }
  }
}

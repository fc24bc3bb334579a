import { isJSONRPCRequest, type JSONRPCMessage, type Transport } from '@modelcontextprotocol/server';
import { type StdioServerHandle, StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import type { OpenBrowser } from '../login/browser/open-browser.js';
import type { SessionRef } from '../session/ids.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Era, RequestContexts } from './request/context.js';
import { calledToolOf } from './request/session-argument.js';
import type { ServerFactory } from './server/factory.js';
import type { Subscriptions } from './server/subscriptions.js';
import { type RejectedLine, validLines } from './stdio-lines.js';
import { ErrorCode, jsonRpcErrorOf } from './wire/error-response.js';
import { methodOf } from './wire/json-rpc.js';

export interface StdioOptions {
  readonly registry: SessionRegistry;
  readonly contexts: RequestContexts;
  readonly servers: ServerFactory;
  readonly subscriptions: Subscriptions;
  readonly openBrowser: OpenBrowser | undefined;
  readonly onError: (error: unknown) => void;
  /** Hears what the SDK reports: mostly what the client did wrong, which is answered. */
  readonly onProtocolError: (error: unknown) => void;
  /** Called with the reason, once for each kind of invalid line. */
  readonly onBadLine: (reason: string) => void;
}

/** The one client of a process that speaks over stdin and stdout, in either era, and its one session. */
export class StdioConnection {
  readonly #options: StdioOptions;
  readonly #ref: SessionRef;
  readonly #lines = validLines((line) => this.#reject(line));
  readonly #wire = new StdioServerTransport(this.#lines);
  /** The kinds of invalid lines that have been reported. */
  readonly #reported = new Set<string>();
  readonly #served: StdioServerHandle;
  #end: () => void = () => undefined;
  /** Resolves when the client has closed its end (EOF), does not read any more (EPIPE), or `stop` was called. */
  readonly closed: Promise<void> = new Promise((resolve) => {
    this.#end = resolve;
  });

  /** Starts the session, then to read. */
  static async open(options: StdioOptions): Promise<StdioConnection> {
    const { record } = await options.registry.start('connection', 'anonymous');
    return new StdioConnection(options, record.ref);
  }

  private constructor(options: StdioOptions, ref: SessionRef) {
    const { registry, servers, subscriptions, openBrowser, onProtocolError } = options;
    this.#options = options;
    this.#ref = ref;
    // The client is there as long as the pipe is.
    registry.streamOpened(ref);
    this.#served = serveStdio(
      ({ era }) => {
        const server = servers.make({ hasHandles: false, isPerRequest: false, openBrowser });
        // The SDK passes on only what the client listens to (`subscriptions/listen`).
        if (era === 'modern') subscriptions.add(ref, server);
        const connect = server.connect.bind(server);
        server.connect = async (channel) => {
          await connect(channel);
          this.#giveContext(channel, era === 'legacy' ? '2025' : '2026');
        };
        return server;
      },
      { transport: this.#wire, onerror: onProtocolError },
    );
    const { stdin } = process;
    stdin.pipe(this.#lines);
    // A stream that closes without an end does not end the streams that it is piped to.
    if (stdin.readableEnded || stdin.destroyed) this.#lines.end();
    else stdin.once('close', () => this.#lines.end());
    const closeServed = this.#wire.onclose;
    this.#wire.onclose = () => {
      stdin.unpipe(this.#lines);
      stdin.pause();
      closeServed?.();
      this.#end();
    };
  }

  /** Takes no more messages, and aborts what is being served. */
  stop(): void {
    this.#served.close().catch(this.#options.onError);
    // Closing waits for a client that does not read; the end does not.
    this.#end();
  }

  /** Lets go of stdin and stdout, even if the client does not read what is still on its way. */
  async close(): Promise<void> {
    await this.#wire.close();
  }

  /** Answers an invalid line, and reports the first one of each kind. */
  #reject({ id, code, message, isAnswered }: RejectedLine): void {
    const { onBadLine, onProtocolError } = this.#options;
    if (!this.#reported.has(message)) {
      this.#reported.add(message);
      onBadLine(message);
    }
    if (!isAnswered) return;
    // The SDK's type lacks `null`, which JSON-RPC requires if the id is not known.
    const answer = { jsonrpc: '2.0', id, error: { code, message } } as JSONRPCMessage;
    this.#wire.send(answer).catch(onProtocolError);
  }

  /** From now on every message is served in the context of the session, one that the channel is given at once. */
  #giveContext(channel: Transport, era: Era): void {
    const deliver = channel.onmessage;
    let turn = Promise.resolve();
    channel.onmessage = (message, extra) => {
      // Looking up the session takes time, and a message must not overtake the one before it.
      turn = turn.then(() => this.#serve(message, era, channel, () => deliver?.(message, extra)));
    };
  }

  /** Never rejects. */
  async #serve(message: JSONRPCMessage, era: Era, channel: Transport, deliver: () => void): Promise<void> {
    const { registry, contexts, onError } = this.#options;
    try {
      if (methodOf(message) !== 'ping') await registry.touch(this.#ref);
      // Read anew for every message: signing out changes the record.
      const record = await registry.get(this.#ref);
      if (!record) return await refuse(message, channel, SERVER_CLOSING);
      const named = { state: 'live', record, handle: undefined } as const;
      contexts.run(
        {
          era,
          named,
          ...calledToolOf(message),
          origin: 'local',
          clientKey: undefined,
          principal: undefined,
        },
        deliver,
      );
    } catch (error) {
      onError(error);
      await refuse(message, channel, jsonRpcErrorOf(error)).catch(onError);
    }
  }
}

const SERVER_CLOSING = { code: ErrorCode.serverBusy, message: 'This server is closing.' };

async function refuse(
  message: JSONRPCMessage,
  channel: Transport,
  error: { readonly code: number; readonly message: string },
): Promise<void> {
  if (isJSONRPCRequest(message)) await channel.send({ jsonrpc: '2.0', id: message.id, error });
}

import { isJSONRPCRequest, type JSONRPCMessage, type Transport } from '@modelcontextprotocol/server';
import { type StdioServerHandle, StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import type { OpenBrowser } from '../login/browser/open-browser.js';
import { ANONYMOUS_OWNER, type SessionRef } from '../session/ids.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Era, RequestContexts } from './request/context.js';
import { calledToolOf } from './request/session-argument.js';
import type { ServerFactory } from './server/factory.js';
import { serveMessagesThrough } from './server/sdk-adapter/serve-messages.js';
import type { Subscriptions } from './server/subscriptions.js';
import { type RejectedLine, validLines } from './stdio-lines.js';
import { ErrorCode, type JsonRpcError, jsonRpcErrorOf } from './wire/error-response.js';
import { methodOf } from './wire/json-rpc.js';

export interface StdioOptions {
  readonly registry: SessionRegistry;
  readonly contexts: RequestContexts;
  readonly servers: ServerFactory;
  readonly subscriptions: Subscriptions;
  readonly openBrowser: OpenBrowser | undefined;
  readonly onError: (error: unknown) => void;
  /** Called with what the SDK reports, mostly mistakes of the client. The SDK answers each of them. */
  readonly onProtocolError: (error: unknown) => void;
  /** Called with the reason, once for each kind of invalid line. */
  readonly onBadLine: (reason: string) => void;
}

/** The connection of a process over stdin and stdout, in either era. It has one client and one session. */
export class StdioConnection {
  readonly #options: StdioOptions;
  readonly #ref: SessionRef;
  readonly #lines = validLines((line) => this.#reject(line));
  readonly #wire = new StdioServerTransport(this.#lines);
  /** The kinds of invalid lines that have been reported. */
  readonly #reported = new Set<string>();
  readonly #served: StdioServerHandle;
  #end: () => void = () => undefined;
  /** Resolves when the client has closed its end (EOF), has stopped reading (EPIPE), or `stop` was called. */
  readonly closed: Promise<void> = new Promise((resolve) => {
    this.#end = resolve;
  });

  /** Starts the session and begins to read. */
  static async open(options: StdioOptions): Promise<StdioConnection> {
    const { record } = await options.registry.start('connection', ANONYMOUS_OWNER);
    return new StdioConnection(options, record.ref);
  }

  private constructor(options: StdioOptions, ref: SessionRef) {
    const { registry, servers, subscriptions, openBrowser, onProtocolError } = options;
    this.#options = options;
    this.#ref = ref;
    // The client counts as present as long as the pipe is open.
    registry.streamOpened(ref);
    this.#served = serveStdio(
      ({ era }) => {
        const revision = era === 'legacy' ? '2025' : '2026';
        const server = servers.make({ era: revision, hasHandles: false, isPerRequest: false, openBrowser });
        // The SDK forwards only notifications that the client listens to (`subscriptions/listen`).
        if (era === 'modern') subscriptions.add(ref, server);
        serveMessagesThrough(server, (message, channel, deliver) =>
          this.#serve(message, revision, channel, deliver),
        );
        return server;
      },
      { transport: this.#wire, onerror: onProtocolError },
    );
    const { stdin } = process;
    stdin.pipe(this.#lines);
    // `pipe` does not end its target when the source closes without `end`.
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

  /** Accepts no further messages, and aborts the calls in flight. */
  stop(): void {
    this.#served.close().catch(this.#options.onError);
    // `close` waits for a client that does not read; `closed` does not.
    this.#end();
  }

  /** Releases stdin and stdout, even if the client has not read all output. */
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
    // The SDK's type lacks `null`, which JSON-RPC requires for an unknown id.
    const answer = { jsonrpc: '2.0', id, error: { code, message } } as JSONRPCMessage;
    this.#wire.send(answer).catch(onProtocolError);
  }

  /** Serves a message in the context of the session. Never rejects. */
  async #serve(message: JSONRPCMessage, era: Era, channel: Transport, deliver: () => void): Promise<void> {
    const { registry, contexts, onError } = this.#options;
    try {
      if (methodOf(message) !== 'ping') await registry.touch(this.#ref);
      // The record is read for every message, because a sign-out changes it.
      const record = await registry.get(this.#ref);
      if (!record) return await refuse(message, channel, SERVER_CLOSING);
      const resolved = { state: 'live', record, handle: undefined } as const;
      contexts.run({ ...LOCAL_CLIENT, era, resolved, ...calledToolOf(message) }, deliver);
    } catch (error) {
      onError(error);
      await refuse(message, channel, jsonRpcErrorOf(error)).catch(onError);
    }
  }
}

/** Over stdio, the client runs on this machine and has no credentials. */
const LOCAL_CLIENT = { origin: 'local', clientKey: undefined, principal: undefined } as const;

const SERVER_CLOSING: JsonRpcError = { code: ErrorCode.serverBusy, message: 'This server is closing.' };

async function refuse(message: JSONRPCMessage, channel: Transport, error: JsonRpcError): Promise<void> {
  if (isJSONRPCRequest(message)) await channel.send({ jsonrpc: '2.0', id: message.id, error });
}

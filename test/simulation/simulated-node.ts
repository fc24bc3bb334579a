import { createSessionFetch, type SessionFetch } from '../../packages/sessions/src/account/session-fetch.js';
import { TokenRejections } from '../../packages/sessions/src/account/token-rejection.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { type ClockError, NodeClock } from '../support/node-clock.js';
import { SessionBench, type SessionBenchOptions } from '../support/session-bench.js';
import type { SharedEngine } from './shared-engine.js';
import type { SimulatedProvider } from './simulated-provider.js';

export const API = 'https://api.example.com';

export type SendRefresh = ReturnType<SimulatedProvider['refreshFor']>;

export interface SimulatedNodeOptions
  extends Pick<SessionBenchOptions, 'random' | 'keys' | 'listener' | 'parts' | 'maxSessions'> {
  readonly clock: VirtualClock;
  readonly clockError: ClockError;
  readonly engine: SharedEngine;
  readonly provider: SimulatedProvider;
  readonly wrapSend?: ((send: SendRefresh) => SendRefresh) | undefined;
  /** Called with an access token that is about to be revoked. */
  readonly onRevocation: (token: string) => void;
  /** Answers a request to the API. */
  readonly callApi: (url: string, init: RequestInit | undefined, node: NodeClock) => Promise<Response>;
}

/** One process that serves sessions. It can be stopped, and can crash. */
export class SimulatedNode {
  readonly clock: NodeClock;
  readonly bench: SessionBench;
  readonly sessionFetch: SessionFetch;

  constructor(options: SimulatedNodeOptions) {
    const { engine, provider, callApi, onRevocation, wrapSend = (send) => send } = options;
    const node = new NodeClock(options.clock, options.clockError);
    const { clock, createPorts, followsOthers } = engine.join(node);
    const revoke = provider.revokeFor(node);
    this.clock = node;
    this.bench = new SessionBench({
      ...options,
      nodeClock: clock,
      createPorts,
      followsOthers,
      scheduler: true,
      refreshTokens: wrapSend(provider.refreshFor(node)),
      revokeTokens: (name, tokens) => {
        if (!node.hasCrashed) onRevocation(tokens.accessToken.reveal());
        return revoke(name, tokens);
      },
    });
    const { accounts, refresher, registry } = this.bench;
    const fetch = (url: string | URL | Request, init?: RequestInit) => callApi(String(url), init, node);
    const apiOrigins = new Map([['idp', [API]]]);
    const rejections = new TokenRejections({ accounts, refresher, registry, clock });
    this.sessionFetch = createSessionFetch({ accounts, refresher, registry, rejections, apiOrigins, fetch });
  }
}

import { createSessions } from '../../../packages/sessions/src/index.js';
import { FaultingProvider } from '../../../packages/sessions/src/testing/index.js';
import { inMemory2025, inMemory2026, reachedFrom } from '../../support/in-memory-client.js';
import type { ToolAnswer } from '../../support/raw-mcp.js';
import { SettlingClock } from '../../support/settling-clock.js';
import { type Era, named } from '../../support/transcribed-server.js';
import { countWebCrypto } from '../../support/web-crypto.js';
import { ANSWERS, ENDS } from './poll-answers.js';
import { ProviderDemands } from './provider-demands.js';

/** A login by a code, and what the provider answers. */
export interface Script {
  readonly era: Era;
  /** Whether the user has a valid login, which is renewed. */
  readonly isRenewal: boolean;
  /** Names of {@link ANSWERS}. */
  readonly answers: readonly string[];
  /** Whether the user approves after these answers, or never decides. */
  readonly isApproved: boolean;
  readonly intervalSeconds: number | undefined;
  readonly codeSeconds: number;
  /** How long the client pauses between two calls of `login`. */
  readonly pauseMs: number;
}

const TURNS = 100;
const STEP_MS = 500;
const MINUTE_MS = 60_000;
const APPROVED = /^\{"status":"authenticated"/;

const runningCrypto = countWebCrypto();

/** Plays a script with a client that calls `login` until the login has ended. @returns what was wrong */
export async function playScript(script: Script): Promise<string[]> {
  const login = new PolledLogin(script);
  try {
    return await login.play();
  } finally {
    await login.close();
  }
}

class PolledLogin {
  readonly #script: Script;
  #underWay = 0;
  readonly #clock = new SettlingClock(() => this.#underWay > 0 || runningCrypto() > 0);
  readonly #provider = new FaultingProvider();
  readonly #sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    publicUrl: 'http://127.0.0.1:3000',
    providers: { ...this.#provider.options, deviceFlow: 'only' },
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: (input, init) => this.#fetch(input, init), clock: this.#clock },
    tools: () => undefined,
  });
  readonly #endedAtMs: number[] = [];
  #deviceCode: string | undefined;
  #demands: ProviderDemands | undefined;
  #names: Record<string, unknown> = {};

  constructor(script: Script) {
    this.#script = script;
  }

  close(): Promise<void> {
    return this.#finish(this.#sessions.close());
  }

  async play(): Promise<string[]> {
    const { era, isRenewal, intervalSeconds, codeSeconds } = this.#script;
    const here = reachedFrom(this.#sessions, '127.0.0.1');
    const client = await (era === '2025' ? inMemory2025(here) : inMemory2026(here));
    const call: Call = async (tool, args = {}) => {
      const answer = await this.#finish(client.call(tool, { ...this.#names, ...args }));
      this.#names = { ...this.#names, ...named(answer.structured ?? {}) };
      return answer;
    };
    if (isRenewal) {
      this.#provider.approve(String((await call('login')).structured.userCode), 'alice');
      await call('login');
    }
    this.#sessions.onEvent(({ type }) => {
      if (type === 'login.failed' || type === 'account.authenticated')
        this.#endedAtMs.push(this.#clock.now());
    });
    this.#provider.pollSeconds = intervalSeconds;
    this.#provider.userCodeSeconds = codeSeconds;
    const terms = { interval: intervalSeconds, lifetime: codeSeconds };
    const demands = new ProviderDemands(() => this.#clock.now(), terms);
    this.#demands = demands;
    const { userCode } = (await call('login', isRenewal ? { renew: true } : {})).structured;
    if (typeof userCode !== 'string') return ['It returns no code.'];
    const answer = await this.#untilEnd(call, userCode, demands);
    const status = await call('session_status');
    return [
      ...demands.violations,
      ...this.#timeViolations(demands),
      ...this.#textViolations(demands, answer, status),
    ];
  }

  /** Calls `login` until it says anything else than that the login with this code is pending. */
  async #untilEnd(call: Call, userCode: string, demands: ProviderDemands): Promise<ToolAnswer> {
    for (let decided = false; ; ) {
      if (this.#script.isApproved && !decided && demands.polls >= this.#script.answers.length) {
        this.#provider.approve(userCode, 'alice');
        decided = true;
      }
      await this.#clock.advance(this.#script.pauseMs);
      const answer = await call('login');
      demands.checkProgress();
      const { status, userCode: current } = answer.structured ?? {};
      if (status !== 'pending' || current !== userCode) return answer;
      if (this.#clock.now() > demands.expiresAtMs + MINUTE_MS) return answer;
    }
  }

  #timeViolations({ end, expiresAtMs, answeredAtMs }: ProviderDemands): string[] {
    const [endedAtMs = Number.POSITIVE_INFINITY, ...others] = this.#endedAtMs;
    // A request that is under way when the code expires may still bring tokens.
    const endsAtMs = end ? answeredAtMs : Math.max(expiresAtMs, answeredAtMs);
    return [
      ...(others.length === 0 ? [] : [`It ends ${this.#endedAtMs.length} times.`]),
      ...(endedAtMs <= endsAtMs ? [] : [`It is pending for ${endedAtMs - endsAtMs} ms too long.`]),
    ];
  }

  #textViolations(
    { end = ENDS.expired }: ProviderDemands,
    { text, structured = {}, isError }: ToolAnswer,
    status: ToolAnswer,
  ): string[] {
    const { isRenewal } = this.#script;
    // In place of a first code that has expired while no call waited, the next one gets a new code.
    const isNew = end === ENDS.expired && !isRenewal && structured.status === 'pending';
    const isPending = JSON.stringify(status.structured ?? {}).includes('"pending"');
    const hasNext = isError ? hasNextStep(text, isRenewal) : typeof structured.next === 'string';
    return [
      ...(end.test(text) || isNew ? [] : [`It ends so: ${end.source}. The client reads: ${text}`]),
      ...(hasNext ? [] : [`A text has no next step: ${text}`]),
      ...(isPending === isNew ? [] : [`The status is wrong: ${status.text}`]),
    ];
  }

  /** Lets the clock go on while a call waits. */
  async #finish<T>(call: Promise<T>): Promise<T> {
    let isOver = false;
    const over = call.finally(() => {
      isOver = true;
    });
    over.catch(() => undefined);
    for (;;) {
      await this.#clock.settle(TURNS, () => isOver);
      if (isOver) return over;
      await this.#clock.advance(STEP_MS);
    }
  }

  async #fetch(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
    const form = new URLSearchParams(init?.body instanceof URLSearchParams ? init.body : undefined);
    const deviceCode = form.get('device_code');
    if (deviceCode !== null && deviceCode === this.#deviceCode) return this.#poll(input, init);
    this.#underWay++;
    try {
      const response = await this.#provider.fetch(input, init);
      if (this.#demands && new URL(`${input}`).pathname === '/device_authorization')
        this.#deviceCode ??= (await response.clone().json()).device_code;
      return response;
    } finally {
      this.#underWay--;
    }
  }

  async #poll(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
    const demands = this.#demands;
    if (!demands) throw new Error('No login has begun.');
    const name = this.#script.answers[demands.polls];
    demands.polled();
    const answer = name === undefined ? undefined : ANSWERS[name];
    if (!answer) {
      const response = await this.#provider.fetch(input, init);
      demands.answered({ meaning: response.ok ? APPROVED : 'pending' });
      return response;
    }
    try {
      return await answer.respond(init?.signal);
    } finally {
      demands.answered(answer);
    }
  }
}

type Call = (tool: string, args?: Record<string, unknown>) => Promise<ToolAnswer>;

function hasNextStep(text: string, isRenewal: boolean): boolean {
  return isRenewal
    ? /The login before it is still valid\..*`login` with provider "provider" and renew: true\./.test(text)
    : /(Call|Try) `login`|Ask them before you try again\./.test(text);
}

import { type Caller, type Exchange, handleAfter } from '../caller.js';
import type { ModelRequest, OfferedTool, Reply, ShownResult } from './dialect.js';

interface Turn {
  readonly request: ModelRequest;
  readonly reply: (reply: Reply) => void;
}

/**
 * One conversation of a host with its model, written as a script: `call` plays the model's next step and
 * returns the result that the host showed the model. The model passes the session's handle if it was shown one, as a real
 * model is told to.
 */
export class Conversation implements Caller {
  readonly exchanges: Exchange[] = [];
  #tools: readonly OfferedTool[] = [];
  #handle: string | undefined;
  #pendingCall: string | undefined;
  #turn: Turn | undefined;
  #calls = 0;
  #wake: (() => void) | undefined;
  #ended: string | undefined;

  /** Takes a request of the host's. What is not of this conversation, a title for instance, is answered at once. */
  take(request: ModelRequest, signal: AbortSignal): Promise<Reply> {
    if (!this.#isOurs(request)) return Promise.resolve({ kind: 'say', text: 'OK.' });
    if (request.tools.length > 0) this.#tools = request.tools;
    return new Promise((resolve) => {
      const turn: Turn = { request, reply: resolve };
      this.#turn = turn;
      signal.addEventListener('abort', () => {
        if (this.#turn === turn) this.#turn = undefined;
      });
      this.#wake?.();
    });
  }

  /** Resolves when the host has offered the tools to its model. */
  async opened(): Promise<readonly string[]> {
    await this.#nextTurn();
    return this.#tools.map(({ name }) => name);
  }

  /** @returns what the host shows its model of the tool's answer. */
  async call(name: string, args: Record<string, unknown> = {}): Promise<string> {
    const turn = await this.#nextTurn();
    const tool = this.#find(name);
    const named = this.#handle !== undefined && tool.parameters.includes('session');
    const passed = named ? { ...args, session: this.#handle } : args;
    this.#calls += 1;
    this.#pendingCall = `call_${this.#calls}`;
    this.#turn = undefined;
    turn.reply({ kind: 'call', callId: this.#pendingCall, tool, args: passed });
    const { request } = await this.#nextTurn();
    const shown = this.#answer(request.results);
    this.exchanges.push({ tool: name, args: passed, shown });
    this.#handle = handleAfter(this.#handle, shown);
    return shown;
  }

  /** The last message of the model. */
  async finish(): Promise<void> {
    const turn = await this.#nextTurn();
    this.#turn = undefined;
    turn.reply({ kind: 'say', text: 'Done.' });
  }

  /** The host has ended: pending calls fail. */
  end(reason: string): void {
    this.#ended = reason;
    this.#wake?.();
  }

  #isOurs({ tools, results }: ModelRequest): boolean {
    return tools.some(({ name }) => isNamed(name, 'login')) || this.#answers(results).length > 0;
  }

  #answers(results: readonly ShownResult[]): ShownResult[] {
    return results.filter(({ callId }) => callId.startsWith(this.#pendingCall ?? 'none'));
  }

  #answer(results: readonly ShownResult[]): string {
    return this.#answers(results).at(-1)?.text ?? '(the host showed its model no answer)';
  }

  #find(name: string): OfferedTool {
    const tool = this.#tools.find((offered) => isNamed(offered.name, name));
    if (!tool) throw new Error(`the host does not offer \`${name}\` any more`);
    return tool;
  }

  async #nextTurn(): Promise<Turn> {
    while (!this.#turn) {
      if (this.#ended !== undefined) throw new Error(this.#ended);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#turn;
  }
}

/** Hosts put the server's name before that of a tool, each in its own way. */
function isNamed(offered: string, name: string): boolean {
  return offered === name || new RegExp(`[^a-z]${name}$`).test(offered);
}

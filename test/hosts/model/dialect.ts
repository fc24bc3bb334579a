/** A tool as a host offers it to its model. */
export interface OfferedTool {
  readonly name: string;
  /** Set where the API groups tools, as OpenAI Responses can. */
  readonly namespace?: string;
  /** Names of the arguments that its schema knows. */
  readonly parameters: readonly string[];
}

/** What a tool answered, as the host shows it to its model. */
export interface ShownResult {
  readonly callId: string;
  readonly text: string;
}

/** One request for the model's next step. */
export interface ModelRequest {
  readonly tools: readonly OfferedTool[];
  readonly results: readonly ShownResult[];
  readonly isStreaming: boolean;
}

/** What the model does next. */
export type Reply =
  | { readonly kind: 'say'; readonly text: string }
  | {
      readonly kind: 'call';
      readonly callId: string;
      readonly tool: OfferedTool;
      readonly args: Readonly<Record<string, unknown>>;
    };

/** One model API: how its requests are read and its answers are written. */
export interface Dialect {
  /** Whether a request to this path asks for the model's next step. */
  matches(path: string): boolean;
  read(body: unknown, path: string): ModelRequest;
  /** The whole answer: server-sent events where the host asked for a stream, else JSON. */
  write(reply: Reply, isStreaming: boolean): string;
}

/** Server-sent events, named where the API names them. */
export function events(list: readonly (readonly [name: string | undefined, data: unknown])[]): string {
  return list
    .map(([name, data]) => {
      const text = typeof data === 'string' ? data : JSON.stringify(data);
      return `${name === undefined ? '' : `event: ${name}\n`}data: ${text}\n\n`;
    })
    .join('');
}

/** The text of a content that is a string or a list of blocks. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return content === undefined ? '' : JSON.stringify(content);
  return content
    .map((block: unknown) => {
      if (typeof block !== 'object' || block === null) return String(block);
      return 'text' in block && typeof block.text === 'string' ? block.text : JSON.stringify(block);
    })
    .join('\n');
}

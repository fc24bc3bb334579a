import { z } from 'zod';
import type { InMemoryClient } from './in-memory-client.js';
import type { RawClient } from './raw-mcp.js';

/** Something that answers calls of tools, as a model sees it. */
type Caller = Pick<RawClient, 'call'>;

type Schema = z.infer<typeof schemaSchema>;
const schemaSchema = z.looseObject({
  description: z.string().default(''),
  get properties() {
    return z.record(z.string(), schemaSchema).optional();
  },
  get items() {
    return schemaSchema.optional();
  },
});
const toolsSchema = z.object({
  tools: z.array(
    z.object({
      name: z.string(),
      description: z.string().default(''),
      inputSchema: schemaSchema,
      outputSchema: schemaSchema.optional(),
    }),
  ),
});

/** What a model reads of a server, written down: ids and secrets are replaced by names that tell them apart. */
export class Transcript {
  readonly #title: string;
  readonly #parts: string[] = [];
  readonly #names = new Map<string, string>();

  constructor(title: string) {
    this.#title = title;
  }

  /** What happens where the model cannot see it. */
  note(text: string): void {
    this.#parts.push(`*${this.#named(text)}*`);
  }

  /** The model calls a tool. @returns the structured result */
  async call(
    client: Caller,
    tool: string,
    args: Record<string, unknown> = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    this.#parts.push(`**${tool}** \`${this.#named(JSON.stringify(args))}\``);
    const { isError, text, structured } = await client.call(tool, args);
    this.#parts.push(isError ? `Error: ${this.#named(text)}` : this.#named(readable(text)));
    return structured;
  }

  /** The model reads what the server says of itself, and of its tools. */
  async introduce(client: InMemoryClient): Promise<void> {
    this.#parts.push(`The server says: ${await client.instructions()}`);
    await this.list(client);
  }

  /** The model reads what there is to know of all tools, or of one. */
  async list(client: InMemoryClient, only?: string): Promise<void> {
    const { tools } = toolsSchema.parse(await client.listTools());
    for (const { name, description, inputSchema, outputSchema } of tools) {
      if (only !== undefined && name !== only) continue;
      const takes = linesOf(inputSchema);
      const answers = linesOf(outputSchema);
      this.#parts.push(
        `**${name}**: ${description}`,
        ...(takes.length > 0 ? [takes.join('\n')] : []),
        ...(answers.length > 0 ? ['Its result:', answers.join('\n')] : []),
      );
    }
  }

  toString(): string {
    return `${[`# ${this.#title}`, ...this.#parts].join('\n\n')}\n`;
  }

  #named(text: string): string {
    return (
      text
        .replaceAll(/https?:\/\/(127\.0\.0\.1|mcp\.example\.test):\d+/g, 'https://server.example')
        .replaceAll(/https:\/\/provider\.test/g, 'https://provider.example')
        // Random, so that sessions do not refresh at the same time.
        .replaceAll(/("nextRefreshInSeconds": )\d+/g, '$1<seconds>')
        .replaceAll(/(try is in|again in) \d+ seconds/g, '$1 <seconds> seconds')
        .replaceAll(/[\w-]{43}/g, (secret) => this.#name(secret, 'id'))
        .replaceAll(/\b[0-9A-Z]{4}-[0-9A-Z]{4}\b/g, (code) => this.#name(code, 'code'))
    );
  }

  #name(secret: string, kind: string): string {
    const name = this.#names.get(secret) ?? `<${kind} ${this.#names.size + 1}>`;
    this.#names.set(secret, name);
    return name;
  }
}

/** A line for every property, and below it those of what is in it. */
function linesOf(schema: Schema | undefined, indent = ''): string[] {
  const properties = schema?.properties ?? schema?.items?.properties ?? {};
  return Object.entries(properties).flatMap(([name, property]) => [
    `${indent}- \`${name}\`: ${described(property)}`,
    ...linesOf(property, `${indent}  `),
  ]);
}

function described({ description, enum: values, const: value, type }: Schema): string {
  const kind = Array.isArray(values) ? values.join(' | ') : String(value ?? type);
  return `(${kind}) ${description}`.trim();
}

/** A text of which a line may be JSON. */
function readable(text: string): string {
  return text
    .split('\n')
    .map((line) => (line.startsWith('{') ? fenced(JSON.stringify(JSON.parse(line), undefined, 2)) : line))
    .join('\n\n');
}

function fenced(json: string): string {
  return `\`\`\`json\n${json}\n\`\`\``;
}

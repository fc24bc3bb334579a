import { z } from 'zod';
import type { InMemoryClient } from './in-memory-client.js';
import type { RawClient } from './raw-mcp.js';

/** Something that answers calls of tools, as a model sees it. */
type Caller = Pick<RawClient, 'call'>;

const toolsSchema = z.object({
  tools: z.array(
    z.object({
      name: z.string(),
      description: z.string().default(''),
      inputSchema: z.looseObject({ properties: z.record(z.string(), z.looseObject({})).default({}) }),
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
    this.#parts.push(isError ? `Error: ${this.#named(text)}` : fenced(this.#named(pretty(text))));
    return structured;
  }

  /** The model reads the login tools. */
  async list(client: Pick<InMemoryClient, 'listTools'>): Promise<void> {
    const { tools } = toolsSchema.parse(await client.listTools());
    for (const { name, description, inputSchema } of tools) {
      const properties = Object.entries(inputSchema.properties);
      const lines = properties.map(([property, schema]) => `- \`${property}\`: ${described(schema)}`);
      this.#parts.push(`**${name}**: ${description}`, ...(lines.length > 0 ? [lines.join('\n')] : []));
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
        // Spread at random, so that not everybody refreshes at once.
        .replaceAll(/("nextRefreshInSeconds": )\d+/g, '$1<seconds>')
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

function described({ description, enum: values, type }: Record<string, unknown>): string {
  const kind = Array.isArray(values) ? values.join(' | ') : String(type);
  return `(${kind}) ${String(description ?? '')}`;
}

function pretty(text: string): string {
  return JSON.stringify(JSON.parse(text), undefined, 2);
}

function fenced(json: string): string {
  return `\`\`\`json\n${json}\n\`\`\``;
}

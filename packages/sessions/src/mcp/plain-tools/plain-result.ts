import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { isThenable, type MaybePromise } from '../../time/promises.js';

/** A result that the SDK sends as it is, apart from the order of its properties, which is this one. */
interface PlainResult {
  readonly content: readonly { readonly type: 'text'; readonly text: string }[];
  readonly structuredContent: Record<string, unknown> | undefined;
  readonly isError: boolean | undefined;
}

const KEYS: ReadonlySet<string> = new Set(['content', 'structuredContent', 'isError']);

/**
 * A plain result: texts, and structured content that is an object and fits the output schema of the tool. `undefined` for
 * every other result, which the SDK has to convert, or to refuse.
 */
export function plainResultOf(
  result: unknown,
  output: StandardSchemaWithJSON | undefined,
): MaybePromise<PlainResult | undefined> {
  if (!isPlainObject(result)) return undefined;
  for (const key of Object.keys(result)) if (!KEYS.has(key)) return undefined;
  const { content, structuredContent, isError } = result;
  if (isError !== undefined && typeof isError !== 'boolean') return undefined;
  const texts = textsOf(content);
  if (!texts) return undefined;
  if (structuredContent !== undefined && !isRecord(structuredContent)) return undefined;
  const plain = { content: texts, structuredContent, isError };
  if (!output || isError) return plain;
  if (structuredContent === undefined) return undefined;
  const fits = (validated: Validated) => (validated.issues?.length ? undefined : plain);
  const validated = output['~standard'].validate(structuredContent);
  return isThenable(validated) ? Promise.resolve(validated).then(fits) : fits(validated);
}

/** What a Standard Schema answers with. */
export type Validated = Awaited<ReturnType<StandardSchemaWithJSON['~standard']['validate']>>;

function textsOf(content: unknown): PlainResult['content'] | undefined {
  if (!Array.isArray(content)) return undefined;
  const texts: PlainResult['content'][number][] = [];
  for (const block of content as readonly unknown[]) {
    if (!isPlainObject(block) || Object.keys(block).length !== 2) return undefined;
    const { type, text } = block;
    if (type !== 'text' || typeof text !== 'string') return undefined;
    texts.push({ type, text });
  }
  return texts;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Whether an object has no properties that a copy of it would lose, or show. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    isPlainObject(value) &&
    Reflect.ownKeys(value).length === Object.keys(value).length &&
    !Object.hasOwn(value, '__proto__')
  );
}

import { parseArgs } from 'node:util';
import { z } from 'zod';

/** A whole number, as text. */
export const countOption = z.string().transform(Number).pipe(z.int().positive());
/** Parts between commas. */
const listOption = z.string().transform((text) => text.split(',').filter((part) => part !== ''));

/** Parts of the names of what to measure. Default: all */
export const onlyOption = listOption.default([]);
/** Additional flags of Node for every server, separated by spaces. */
export const flagsOption = z
  .string()
  .transform((text) => text.split(' ').filter((part) => part !== ''))
  .default([]);

const throughputShape = {
  rounds: countOption.default(5),
  seconds: z.string().transform(Number).pipe(z.number().positive()).default(2),
  only: onlyOption,
  sessions: listOption
    .transform((parts) => parts.map(Number))
    .pipe(z.array(z.int().positive().max(1_000_000)).nonempty())
    .default([1, 10_000]),
  'node-flags': flagsOption,
  dispatch: z.enum(['direct', 'sdk']).default('direct'),
};

/** The options of `npm run bench`. */
export interface BenchOptions {
  readonly rounds: number;
  /** The length of one round of one case. */
  readonly seconds: number;
  /** Parts of the names of the cases to measure. Default: all */
  readonly only: readonly string[];
  /** The numbers of sessions. */
  readonly sessions: readonly number[];
  /** Additional flags of Node for every server. */
  readonly flags: readonly string[];
  /** What dispatches the calls of this library. */
  readonly dispatch: 'direct' | 'sdk';
}

export function benchOptions(args: readonly string[]): BenchOptions {
  const { 'node-flags': flags, ...options } = parseOptions(args, throughputShape);
  return { ...options, flags };
}

/** @throws Error if an option is unknown or invalid */
export function parseOptions<Shape extends z.ZodRawShape>(
  args: readonly string[],
  shape: Shape,
): z.infer<z.ZodObject<Shape>> {
  const options = Object.fromEntries(Object.keys(shape).map((name) => [name, { type: 'string' as const }]));
  return z.object(shape).parse(parseArgs({ args: [...args], options }).values);
}

/** Whether `--only` selects a name. */
export function isSelected({ only }: Pick<BenchOptions, 'only'>, name: string): boolean {
  return only.length === 0 || only.some((part) => name.includes(part));
}

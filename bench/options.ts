import { parseArgs } from 'node:util';
import { z } from 'zod';

/** A whole number, as text. */
export const countOption = z.string().transform(Number).pipe(z.int().positive());
/** Parts between commas. */
const listOption = z.string().transform((text) => text.split(',').filter((part) => part !== ''));

export const onlyOption = listOption
  .default([])
  .describe('parts of the names of what is measured, between commas. Default: all');
export const flagsOption = z
  .string()
  .transform((text) => text.split(' ').filter((part) => part !== ''))
  .default([])
  .describe('additional flags of Node for every server, between spaces');

const throughputShape = {
  rounds: countOption.default(5).describe('how often each case is measured. Default: 5'),
  seconds: z
    .string()
    .transform(Number)
    .pipe(z.number().positive())
    .default(2)
    .describe('the length of each measurement. Default: 2'),
  only: onlyOption,
  sessions: listOption
    .transform((parts) => parts.map(Number))
    .pipe(z.array(z.int().positive().max(1_000_000)).nonempty())
    .default([1, 10_000])
    .describe('the numbers of sessions, between commas. Default: 1,10000'),
  'node-flags': flagsOption,
  dispatch: z
    .enum(['direct', 'sdk'])
    .default('direct')
    .describe('what dispatches the calls of mcp-sessions: direct, sdk. Default: direct'),
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

/** Prints the options and ends the process if they are asked for. @throws Error if an option is unknown or invalid */
export function parseOptions<Shape extends z.ZodRawShape>(
  args: readonly string[],
  shape: Shape,
): z.infer<z.ZodObject<Shape>> {
  if (args.includes('--help')) {
    for (const [name, { description }] of Object.entries(z.object(shape).shape))
      console.log(`--${name.padEnd(12)} ${description}`);
    process.exit();
  }
  const options = Object.fromEntries(Object.keys(shape).map((name) => [name, { type: 'string' as const }]));
  return z.object(shape).parse(parseArgs({ args: [...args], options }).values);
}

/** Whether `--only` selects a name. */
export function isSelected({ only }: Pick<BenchOptions, 'only'>, name: string): boolean {
  return only.length === 0 || only.some((part) => name.includes(part));
}

import { z } from 'zod';

/** What the tables, `--help` and the JSON Schema say about a setting, and which names it has. */
export interface SettingInfo {
  readonly description: string;
  /** The value without the setting. */
  readonly default?: string | number | boolean;
  /** What applies without the setting, if that is no value. */
  readonly defaultText?: string;
  /** Its variable, without the prefix. */
  readonly variable?: string;
  /** The separator of the values in its variable. Default: spaces or commas. */
  readonly separator?: ',';
  /** Its flag, without `--`. A flag of a truth value takes no value. */
  readonly flag?: string;
  /** What a flag of a truth value sets. Default: true. */
  readonly flagSets?: false;
  /** The value of its flag in `--help`. */
  readonly placeholder?: string;
  /** A credential: it comes from a variable or a file of its own, and is never printed. */
  readonly isSecret?: true;
  /** A path, in the configuration file relative to its folder. */
  readonly isPath?: true;
  /** Settings of one group replace each other: a source has at most one of them. */
  readonly group?: string;
  /** The part of the documentation that explains it. */
  readonly link?: string;
}

const infos = z.registry<SettingInfo>();

/** A setting that can be absent. */
export function setting<S extends z.ZodType>(schema: S, info: SettingInfo): z.ZodOptional<S> {
  const optional = schema.optional();
  infos.add(optional, info);
  return optional;
}

/** Several settings with a key of their own. */
export function section<S extends z.ZodRawShape>(
  shape: S,
  info: SettingInfo,
): z.ZodOptional<z.ZodObject<S, z.core.$strict>> {
  const example = Object.keys(shape)[0];
  const isNoGroup = `must be a group of settings, such as { ${example}: … }`;
  return setting(
    z.strictObject(shape, { error: ({ code }) => (code === 'invalid_type' ? isNoGroup : undefined) }),
    info,
  );
}

/** What is known about a setting or a section. */
export function infoOf(schema: z.ZodType): SettingInfo | undefined {
  return infos.get(schema);
}

export function wholeNumber(meaning: string, minimum: number, maximum: number): z.ZodInt {
  const error = `must be ${meaning}`;
  return z.int(error).min(minimum, error).max(maximum, error);
}

export function oneOf<const T extends readonly [string, ...string[]]>(...values: T) {
  return z.enum(values, `must be one of ${values.join(', ')}, or not set`) as z.ZodType<T[number]>;
}

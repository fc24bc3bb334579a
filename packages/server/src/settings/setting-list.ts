import { z } from 'zod';
import { providerSchema } from './provider-schema.js';
import { infoOf, type SettingInfo } from './setting.js';
import { settingsSchema } from './settings-schema.js';

/** A path in the settings. In {@link SETTINGS}, `*` stands for the number of a provider. */
export type SettingPath = readonly string[];

/** A setting, or a section of settings. */
export interface Setting {
  readonly path: SettingPath;
  readonly schema: z.ZodType;
  readonly info: SettingInfo;
  /** Whether it contains other settings. */
  readonly isSection: boolean;
}

export const ANY_PROVIDER = '*';

/** Every section and every setting, in the order of the schema. */
export const SETTINGS: readonly Setting[] = settingsOf(settingsSchema, []);

/** Those that have a value of their own. */
export const LEAVES: readonly Setting[] = SETTINGS.filter(({ isSection }) => !isSection);

function settingsOf(object: z.ZodObject, parent: SettingPath): Setting[] {
  return Object.entries(object.shape as Readonly<Record<string, z.ZodOptional<z.ZodType>>>).flatMap(
    ([key, schema]) => {
      const info = infoOf(schema);
      if (info === undefined) throw new Error(`The setting ${key} is not described.`);
      const path = [...parent, key];
      const content = schema.unwrap();
      // The objects of a provider, such as its endpoints, are replaced as a whole.
      const inner = parent.includes(ANY_PROVIDER) ? [] : contentsOf(content, path);
      return [{ path, schema, info, isSection: inner.length > 0 }, ...inner];
    },
  );
}

function contentsOf(schema: z.ZodType, path: SettingPath): Setting[] {
  if (schema instanceof z.ZodArray && schema.element === providerSchema) {
    return settingsOf(providerSchema, [...path, ANY_PROVIDER]);
  }
  return schema instanceof z.ZodObject ? settingsOf(schema, path) : [];
}

/** A path as the documentation and messages write it: `providers[0].clientId`. */
export function written(path: SettingPath): string {
  return path
    .map((key, index) => {
      if (key === ANY_PROVIDER) return '[]';
      if (/^\d+$/.test(key)) return `[${key}]`;
      return index === 0 ? key : `.${key}`;
    })
    .join('');
}

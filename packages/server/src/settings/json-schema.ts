import { z } from 'zod';
import { SETTINGS } from './setting-list.js';
import { settingsSchema } from './settings-schema.js';

/** The JSON Schema of the configuration file, for editors. Secrets are not in it, because they are refused there. */
export function configurationSchema(): object {
  const descriptions = z.registry<{ description: string; default?: string | number | boolean }>();
  const secrets = new Set<z.ZodType>();
  for (const { schema, info } of SETTINGS) {
    const isValue = typeof info.default === 'number' || typeof info.default === 'boolean';
    descriptions.add(schema, { description: info.description, ...(isValue && { default: info.default }) });
    if (info.isSecret) secrets.add(schema);
  }
  return {
    title: 'The configuration of mcp-sessions-server',
    ...z.toJSONSchema(settingsSchema, {
      io: 'input',
      metadata: descriptions,
      override: ({ zodSchema, jsonSchema }) => {
        if (!(zodSchema instanceof z.ZodObject)) return;
        for (const [key, schema] of Object.entries(zodSchema.shape)) {
          if (secrets.has(schema)) delete jsonSchema.properties?.[key];
        }
      },
    }),
  };
}

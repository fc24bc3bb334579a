// Writes what follows from the schema of the settings: the JSON Schema for editors, and the tables of the documentation.
import { readFileSync, writeFileSync } from 'node:fs';
import { configurationSchema } from '../packages/server/dist/settings/json-schema.js';
import { settingsTables } from '../packages/server/dist/settings/settings-table.js';

const schema = new URL('../packages/server/config.schema.json', import.meta.url);
writeFileSync(schema, `${JSON.stringify(configurationSchema(), null, 2)}\n`);

const page = new URL('../docs/configuration.md', import.meta.url);
const text = readFileSync(page, 'utf8');
const written = text.replace(
  /(<!-- begin: settings.*? -->\n)[\s\S]*(<!-- end: settings -->)/,
  (_, begin, end) => `${begin}\n${settingsTables()}\n\n${end}`,
);
writeFileSync(page, written);

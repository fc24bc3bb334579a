import type { Logger } from 'mcp-sessions';
import type { SettingNames } from './setting-names.js';

/** A log in which an entry with a setting of the library also has the names of the command, in its message, too. */
export function logWithNames(logger: Logger, names: SettingNames): Logger {
  const write = (level: keyof Logger) => (entry: object, message: string) => {
    const { provider, setting } = entry as { readonly provider?: unknown; readonly setting?: unknown };
    if (typeof provider !== 'string' || typeof setting !== 'string') return logger[level](entry, message);
    const variables = names.of(provider, setting).join(', ');
    const named = message.replace(`Change ${setting}: `, `Change ${variables}: `);
    logger[level]({ ...entry, variables }, names.inText(provider, named));
  };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

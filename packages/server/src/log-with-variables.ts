import type { Logger } from 'mcp-sessions';
import { isAccess, variablesOf } from './check.js';
import { withVariables } from './provider-environment.js';

/** A log in which an entry with a setting of the library also has the variables of the command, in its message, too. */
export function logWithVariables(logger: Logger): Logger {
  const write = (level: keyof Logger) => (entry: object, message: string) => {
    const { provider, setting } = entry as { readonly provider?: unknown; readonly setting?: unknown };
    if (typeof provider !== 'string' || typeof setting !== 'string') return logger[level](entry, message);
    const variables = variablesOf(provider, setting).join(', ');
    const named = message.replace(`Change ${setting}: `, `Change ${variables}: `);
    logger[level]({ ...entry, variables }, isAccess(provider) ? named : withVariables(named));
  };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

const MAX_NAME_LENGTH = 80;

/** Shortens a name from a client or provider, and removes control and direction characters, which could mislead. */
export function printableName(name: string): string {
  return name.replaceAll(/\p{C}/gu, '').slice(0, MAX_NAME_LENGTH);
}

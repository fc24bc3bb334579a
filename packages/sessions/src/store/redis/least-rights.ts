const DEFAULT_NAMESPACE = 'ms';

/**
 * The fewest rights of a user of the engine, as arguments of `ACL SETUSER` after its name and password: its own keys and
 * messages, and no command that writes to disk, reads other keys or changes settings.
 */
export function leastRights(namespace: string = DEFAULT_NAMESPACE): string {
  const own = `{${namespace}}:*`;
  return `~${own} &${own} +@read +@write +@scripting +@pubsub +@connection +time +info +config|get -@dangerous +info +config|get`;
}

/** A property of something that may be anything. */
export function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** The method of a request or notification. */
export function methodOf(body: unknown): unknown {
  return propertyOf(body, 'method');
}

/** The ids of the requests in a body, which is one message or, in revision 2025-03-26, a batch. */
export function requestIdsOf(body: unknown): unknown[] {
  const messages: unknown[] = Array.isArray(body) ? body : [body];
  return messages
    .filter((message) => methodOf(message) !== undefined && propertyOf(message, 'id') !== undefined)
    .map((message) => propertyOf(message, 'id'));
}

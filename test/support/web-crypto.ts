let running = 0;

/**
 * Counts the operations of WebCrypto. They take real time, in which a virtual clock has to stand still.
 * @returns the number of those that are running
 */
export function countWebCrypto(): () => number {
  const { subtle } = globalThis.crypto;
  const prototype: Record<string, unknown> = Object.getPrototypeOf(subtle);
  for (const name of ['sign', 'verify', 'digest', 'importKey', 'generateKey', 'deriveBits']) {
    const operation = prototype[name];
    if (typeof operation !== 'function') continue;
    prototype[name] = async function (this: SubtleCrypto, ...args: unknown[]) {
      running++;
      try {
        return await operation.apply(this, args);
      } finally {
        running--;
      }
    };
  }
  return () => running;
}

import { secretBuffer, wipe } from './memory.js';
import { Secret } from './secret.js';

/** The secrets of one account. */
export interface TokenSet {
  readonly accessToken: Secret;
  readonly refreshToken: Secret | undefined;
}

const LENGTH_BYTES = 4;

/**
 * Encodes a token set as length ‖ access token ‖ refresh token, in a buffer that can be wiped. JSON would create a
 * string, which cannot. The caller wipes the secrets.
 */
export function encodeTokenSet(tokens: TokenSet): Buffer {
  const { accessToken, refreshToken } = tokens;
  const encoded = secretBuffer(LENGTH_BYTES + accessToken.byteLength + (refreshToken?.byteLength ?? 0));
  encoded.writeUInt32BE(accessToken.byteLength, 0);
  accessToken.copyTo(encoded, LENGTH_BYTES);
  refreshToken?.copyTo(encoded, LENGTH_BYTES + accessToken.byteLength);
  return encoded;
}

/** Decodes the result of {@link encodeTokenSet}, and wipes it. An empty refresh token is none. */
export function decodeTokenSet(encoded: Buffer): TokenSet {
  try {
    const accessEnd = LENGTH_BYTES + encoded.readUInt32BE(0);
    const refresh = encoded.subarray(accessEnd);
    return {
      accessToken: Secret.fromBytes(encoded.subarray(LENGTH_BYTES, accessEnd)),
      refreshToken: refresh.length > 0 ? Secret.fromBytes(refresh) : undefined,
    };
  } finally {
    wipe(encoded);
  }
}

/** Decodes the access token in the result of {@link encodeTokenSet}, and wipes the result. */
export function decodeAccessToken(encoded: Buffer): Secret {
  try {
    return Secret.fromBytes(encoded.subarray(LENGTH_BYTES, LENGTH_BYTES + encoded.readUInt32BE(0)));
  } finally {
    wipe(encoded);
  }
}

/** Wipes both secrets of a token set. */
export function wipeTokenSet(tokens: TokenSet): void {
  tokens.accessToken.wipe();
  tokens.refreshToken?.wipe();
}

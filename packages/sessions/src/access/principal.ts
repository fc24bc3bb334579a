/** Who a bearer token says is calling. */
export interface Principal {
  readonly issuer: string;
  /** The claim `sub`, or the one that the operator configured. */
  readonly subject: string;
  readonly clientId: string;
  /** What tells this sign-in apart from others of the same user and client; absent where that does not count. */
  readonly session?: string | undefined;
  readonly scopes: readonly string[];
  /** When the token runs out, on the clock of this process. */
  readonly expiresAtMs: number;
}

/** Who a bearer token says is calling. */
export interface Principal {
  readonly issuer: string;
  /** The claim `sub`, or the one that the operator configured. */
  readonly subject: string;
  readonly clientId: string;
  /** The value of `sessionClaim`; absent if the option is not set or the token lacks the claim. */
  readonly session?: string | undefined;
  readonly scopes: readonly string[];
  /** When the token runs out, on the clock of this process. */
  readonly expiresAtMs: number;
}

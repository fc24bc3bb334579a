import { z } from 'zod';
import type { Principal } from './access.js';
import { shownClaim, type TokenFault, tokenFault } from './token-fault.js';
import { tokenTypeFault } from './token-type.js';

/** What this server requires of the claims of a token. */
export interface TokenExpectations {
  readonly issuer: string;
  readonly audience: string;
  readonly subjectClaim: string;
  /** The claim that identifies a sign-in. Absent: a user and client have one session. */
  readonly sessionClaim?: string | undefined;
  /** The ids of the clients whose tokens are accepted. Absent: all clients. */
  readonly clientIds?: readonly string[] | undefined;
}

/** The principal that the claims of a token name, or why the token is refused. */
export type ReadClaims = { readonly principal: Principal } | TokenFault;

/** The source of claims: a verified JWT, or an introspection response. */
export type ClaimsSource = 'jwt' | 'introspection';

/** How long the introspection of a token without an expiry is valid. */
const DEFAULT_LIFETIME_SECONDS = 300;
/** How far the issuer's clock may be ahead. */
const CLOCK_TOLERANCE_SECONDS = 5;

/** Encoded in UTF-8, all unpaired surrogates are the same character, so two users could share a session. */
const UNPAIRED_SURROGATE = /\p{Surrogate}/u;

/** The claims that name the client: RFC 9068 section 2.2, and those of older servers. */
const CLIENT_CLAIMS = ['client_id', 'azp', 'appid', 'cid'] as const;

const scopes = z.union([z.string(), z.array(z.string())]);
const claimsSchema = z.looseObject({
  iss: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  exp: z.number().optional(),
  nbf: z.number().optional(),
  scope: scopes.optional(),
  scp: scopes.optional(),
});
type Claims = z.output<typeof claimsSchema>;

/**
 * Reads the claims of a token whose authenticity is established (RFC 9068 section 2.2, RFC 7662 section 2.2). The fault
 * `expired` means that the token is otherwise valid.
 * @param now on the clock of this process, and in seconds since the epoch
 */
export function readClaims(
  claims: unknown,
  source: ClaimsSource,
  expected: TokenExpectations,
  now: { readonly ms: number; readonly epochSeconds: number },
): ReadClaims {
  const { data, error } = claimsSchema.safeParse(claims);
  if (!data) return tokenFault('malformed', `Its claim ${nameIn(error)} has the wrong type.`);
  const fault = tokenTypeFault(data) ?? issuerFault(data, source, expected) ?? audienceFault(data, expected);
  if (fault) return fault;
  const clientId = clientIn(data);
  if (typeof clientId !== 'string' || clientId === '') {
    return tokenFault('client', 'It does not name the client that it was issued to (client_id).');
  }
  if (expected.clientIds && !expected.clientIds.includes(clientId)) {
    return tokenFault(
      'client',
      `It was issued to the client ${shownClaim(clientId)}, which this server does not accept. Ask its operator to accept that client.`,
    );
  }
  const { [expected.subjectClaim]: subject } = data;
  if (typeof subject !== 'string' || subject === '') {
    return tokenFault('subject', `It does not name its user (${shownClaim(expected.subjectClaim)}).`);
  }
  if ([subject, clientId].some((name) => UNPAIRED_SURROGATE.test(name))) {
    return tokenFault('malformed', 'Its user or its client is not named in valid Unicode.');
  }
  const session = expected.sessionClaim === undefined ? undefined : data[expected.sessionClaim];
  if (session !== undefined && typeof session !== 'string') {
    return tokenFault('malformed', `Its claim ${shownClaim(expected.sessionClaim)} has the wrong type.`);
  }
  if (source === 'jwt' && data.exp === undefined) {
    return tokenFault('malformed', 'It has no expiry (exp).');
  }
  const { exp = now.epochSeconds + DEFAULT_LIFETIME_SECONDS, nbf = 0 } = data;
  if (nbf > now.epochSeconds + CLOCK_TOLERANCE_SECONDS) {
    return tokenFault('not_yet_valid', 'It is not valid yet (nbf). Try again later.');
  }
  if (exp <= now.epochSeconds) return tokenFault('expired', 'It has expired. Get a new one.');
  return {
    principal: {
      issuer: expected.issuer,
      subject,
      clientId,
      ...(session !== undefined && { session }),
      scopes: [data.scope ?? data.scp ?? []].flat().flatMap((scope) => scope.split(' ').filter(Boolean)),
      expiresAtMs: now.ms + (exp - now.epochSeconds) * 1000,
    },
  };
}

function issuerFault(
  { iss }: Claims,
  source: ClaimsSource,
  { issuer }: TokenExpectations,
): TokenFault | undefined {
  if (iss === issuer || (iss === undefined && source === 'introspection')) return undefined;
  const found = iss === undefined ? 'It names no issuer (iss)' : `Its issuer (iss) is ${shownClaim(iss)}`;
  return tokenFault('issuer', `${found}; this server accepts tokens of ${issuer}. Get one there.`);
}

function audienceFault(
  { aud, token_use: use }: Claims,
  { audience, clientIds }: TokenExpectations,
): TokenFault | undefined {
  if (aud !== undefined) {
    if ([aud].flat().includes(audience)) return undefined;
    return tokenFault(
      'audience',
      `Its audience (aud) is ${shownClaim(aud)}; this server expects ${audience}. ${NAME_RESOURCE}`,
    );
  }
  if (!clientIds) {
    return tokenFault(
      'audience',
      `It names no audience (aud); this server expects ${audience}. ${NAME_RESOURCE}`,
    );
  }
  if (use === 'access') return undefined;
  return tokenFault(
    'audience',
    `It names no audience (aud), and its token_use is not access; this server requires one of the two.`,
  );
}

const NAME_RESOURCE = 'Send it as the resource parameter when you request a token (RFC 8707).';

/** The value of the first client claim that is present. If it is invalid, later claims are not considered. */
function clientIn(claims: Claims): unknown {
  const name = CLIENT_CLAIMS.find((each) => claims[each] !== undefined && claims[each] !== '');
  return name && claims[name];
}

function nameIn(error: z.ZodError): string {
  return shownClaim(error.issues[0]?.path[0] ?? 'set');
}

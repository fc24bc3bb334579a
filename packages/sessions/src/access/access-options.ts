import { z } from 'zod';
import { parseOptions, SCOPE_TOKEN } from '../parse-options.js';
import { isSecureUrl } from '../secure-url.js';

/**
 * Which requests reach the MCP endpoint.
 *
 * - `open`: requests of this machine, without authentication. The session id is the only credential.
 * - `open-to-network`: the same for requests of all machines. Every login has to be confirmed with a code.
 * - bearer: requests with an access token of an authorization server (MCP authorization, RFC 6750, RFC 9728). A
 *   session belongs to the user and client that the token names.
 */
export type AccessOptions = 'open' | 'open-to-network' | BearerAccessOptions;

/** The access tokens that clients have to send. */
export interface BearerAccessOptions {
  /** The authorization server's issuer identifier; its metadata is discovered. https, except on loopback. */
  readonly issuer: string;
  /** The audience that a token has to name. Default: the URL of the endpoint, which clients request (RFC 8707). */
  readonly audience?: string | undefined;
  /**
   * The ids of the clients whose tokens are accepted. Their tokens need no audience if they have `token_use: access`,
   * as those of Amazon Cognito. Default: all clients; every token then needs an audience.
   */
  readonly clientIds?: readonly string[] | undefined;
  /** Scopes that every request needs. Default: none. */
  readonly requiredScopes?: readonly string[] | undefined;
  /** This server's credentials for introspection (RFC 7662). Default: none; only JWTs are accepted. */
  readonly introspection?: Required<ClientRegistration> | undefined;
  /**
   * The claim that identifies the user. Set it if `sub` differs between clients (pairwise). It has to be unique, and
   * users must not be able to choose it: not `email`. Default: `sub`.
   */
  readonly subjectClaim?: string | undefined;
  /**
   * A claim that differs between a user's sign-ins with the same client, such as `sid`. Each value has its own session.
   * Default: none; a user has one session for each client id, on all devices. Tokens without the claim belong to that
   * session, too.
   */
  readonly sessionClaim?: string | undefined;
  /**
   * Whether each 2025 connection has its own session, which ends with the connection. Requests of 2026-07-28 have no
   * connection and share one session. Default: false.
   */
  readonly sessionPerConnection?: boolean | undefined;
  /**
   * This server's registration at the authorization server for signing in browsers. The sign-in proves that the user
   * who completes a login at another provider is the user of the client that started it. Its redirect URI is
   * `/login/sign-in`. Default: none; such logins are confirmed with a code, except on loopback.
   */
  readonly signIn?: ClientRegistration | undefined;
}

/** A client registration at an authorization server. */
export interface ClientRegistration {
  readonly clientId: string;
  /** Absent for a public client. */
  readonly clientSecret?: string | undefined;
}

/** Bearer access options with every default filled in. */
export interface BearerSettings extends BearerAccessOptions {
  readonly requiredScopes: readonly string[];
  readonly subjectClaim: string;
}

export type AccessSettings = 'open' | 'open-to-network' | BearerSettings;

const registration = z.strictObject({
  clientId: z.string().min(1),
  clientSecret: z.string().min(1).optional(),
});

const wordSchema = z.enum(
  ['open', 'open-to-network'],
  "must be 'open', 'open-to-network', or an object with the issuer of the access tokens",
);

const bearerSchema = z.strictObject({
  issuer: z.url({ protocol: /^https?$/ }).refine(isSecureUrl, 'must use https: it is not on loopback'),
  audience: z.string().min(1).optional(),
  clientIds: z.array(z.string().min(1)).min(1).optional(),
  requiredScopes: z.array(z.string().regex(SCOPE_TOKEN, 'is not a scope')).default([]),
  introspection: registration.required().optional(),
  subjectClaim: z.string().min(1).default('sub'),
  sessionClaim: z.string().min(1).optional(),
  sessionPerConnection: z.boolean().optional(),
  signIn: registration.optional(),
});

/** Checks the access options. @throws SessionError `configuration`, naming what is wrong. */
export function accessSettings(options: AccessOptions = 'open'): AccessSettings {
  // A union of both schemas would report only that neither fits.
  const schema = typeof options === 'object' && options !== null ? bearerSchema : wordSchema;
  return parseOptions(schema, options, '`access` is invalid');
}

/** Whether clients have to send an access token. */
export function isBearer(access: AccessSettings): access is BearerSettings {
  return typeof access === 'object';
}

import { randomBytes } from 'node:crypto';
import { z } from 'zod';

/** The metadata of a registration (RFC 7591 section 2). */
type ClientMetadata = Record<string, unknown>;

/** The prefix of client ids that contain their registration. */
const PREFIX = 'mcp.';
const MAX_CLIENT_ID_CHARACTERS = 1024;

const MAX_NAME_CHARACTERS = 100;

/** The registration of a client on this machine: a public client, whose redirect URIs match on any port (RFC 8252). */
const PUBLIC_CLIENT = {
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
} as const;

/** The registration of a client without redirect URIs: it can only refresh. */
const REFRESHING_CLIENT = {
  ...PUBLIC_CLIENT,
  redirect_uris: [],
  grant_types: ['refresh_token'],
  response_types: [],
} as const;

/** Sets defaults for missing members and empty lists (RFC 7591 section 2). */
const LISTS_WITH_DEFAULT = ['grant_types', 'response_types'];

const urisSchema = z.array(z.string());
const contentSchema = z.object({
  redirect_uris: z.array(z.string().refine(isLoopbackRedirect)).min(1).max(10),
  client_name: z.string().max(MAX_NAME_CHARACTERS).optional(),
});

/**
 * Registers a client: completes its metadata, as large authorization servers do, and creates its id.
 *
 * Hosts keep their registration when this provider restarts, but the provider keeps none. So the id of a client on this
 * machine contains its registration. The id needs no signature: it contains only a name and redirect URIs on loopback,
 * which every client may register. Registrations with other redirect URIs are lost at the next restart.
 *
 * @param metadata the client's metadata (RFC 7591); completed in place
 * @returns the client id
 */
export function register(metadata: ClientMetadata): string {
  // The resource determines the scopes. A registration does not restrict them.
  delete metadata.scope;
  for (const name of LISTS_WITH_DEFAULT) if (isEmptyList(metadata[name])) delete metadata[name];
  const redirectUris = urisSchema.safeParse(metadata.redirect_uris).data ?? [];
  if (redirectUris.some(isOfThisMachine)) Object.assign(metadata, PUBLIC_CLIENT);
  // Gemini CLI registers like this to get a client id for a refresh.
  if (isEmptyList(metadata.redirect_uris)) Object.assign(metadata, REFRESHING_CLIENT);
  const random = randomBytes(16).toString('base64url');
  const content = contentSchema.safeParse({
    redirect_uris: redirectUris.filter(isLoopbackRedirect),
    ...(typeof metadata.client_name === 'string' && {
      client_name: metadata.client_name.slice(0, MAX_NAME_CHARACTERS),
    }),
  });
  if (!content.success) return random;
  const id = PREFIX + Buffer.from(JSON.stringify({ ...content.data, id: random })).toString('base64url');
  return id.length <= MAX_CLIENT_ID_CHARACTERS ? id : random;
}

/** The registration that a client id contains; `undefined` if it contains none. */
export function registrationIn(clientId: string): ClientMetadata | undefined {
  if (!clientId.startsWith(PREFIX) || clientId.length > MAX_CLIENT_ID_CHARACTERS) return undefined;
  try {
    const content = contentSchema.parse(
      JSON.parse(Buffer.from(clientId.slice(PREFIX.length), 'base64url').toString()),
    );
    return { ...content, ...PUBLIC_CLIENT, client_id: clientId };
  } catch {
    return undefined;
  }
}

/** Whether a redirect URI belongs to an app on this machine: loopback, or a private-use scheme (RFC 8252 section 7). */
function isOfThisMachine(value: string): boolean {
  return isLoopbackRedirect(value) || (URL.canParse(value) && !/^https?:$/.test(new URL(value).protocol));
}

function isLoopbackRedirect(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, username, password, hash } = new URL(value);
  const isHere = ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
  return protocol === 'http:' && isHere && !username && !password && !hash;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

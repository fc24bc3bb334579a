import type * as oidc from 'openid-client';

type Metadata = Readonly<ReturnType<oidc.Configuration['serverMetadata']>>;

const known = new WeakMap<oidc.Configuration, Metadata>();

/** The metadata of a configuration, which never changes. openid-client copies all of it for each call. */
export function metadataOf(configuration: oidc.Configuration): Metadata {
  const metadata = known.get(configuration) ?? configuration.serverMetadata();
  known.set(configuration, metadata);
  return metadata;
}

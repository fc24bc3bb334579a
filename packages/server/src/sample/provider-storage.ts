import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider';
import { registrationIn } from './client-registration.js';

export interface ProviderStorageOptions {
  /**
   * Selects MCP clients: their refresh tokens are accepted again within a few seconds of their first use, and their
   * registrations are read from their ids. Default: none.
   */
  readonly isMcpClient?: (clientId: string) => boolean;
  /** The scopes in the current request that MCP clients may request at a refresh, granted or not. */
  readonly toleratedScopes?: () => readonly string[];
}

interface Entry {
  readonly payload: AdapterPayload;
  readonly expiresAtMs: number;
}

/** Expired entries are removed after this number of writes. */
const WRITES_PER_SWEEP = 1000;

/**
 * How long an MCP client's used refresh token is still accepted, counted from its first use. MCP clients refresh in
 * parallel and lose answers; large authorization servers allow about this long.
 */
const REFRESH_GRACE_SECONDS = 10;

/** The records of the identity provider, in memory: one map for each kind. */
export function createProviderStorage({
  isMcpClient = () => false,
  toleratedScopes = () => [],
}: ProviderStorageOptions = {}): AdapterFactory {
  const kinds = new Map<string, MemoryAdapter>();
  const create = (kind: string) => {
    switch (kind) {
      case 'Session':
        return new ForgetfulAdapter();
      case 'Client':
        return new ClientAdapter(isMcpClient);
      case 'RefreshToken':
        return new RefreshTokenAdapter(isMcpClient, toleratedScopes);
      default:
        return new MemoryAdapter();
    }
  };
  return (kind) => {
    const adapter = kinds.get(kind) ?? create(kind);
    kinds.set(kind, adapter);
    return adapter;
  };
}

class MemoryAdapter implements Adapter {
  readonly #entries = new Map<string, Entry>();
  #writes = 0;

  async upsert(
    id: string,
    payload: AdapterPayload,
    expiresInSeconds = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    this.#entries.set(id, { payload, expiresAtMs: Date.now() + expiresInSeconds * 1000 });
    this.#writes += 1;
    if (this.#writes % WRITES_PER_SWEEP === 0) this.#sweep();
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const entry = this.#entries.get(id);
    return entry && entry.expiresAtMs > Date.now() ? entry.payload : undefined;
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#findWhere((payload) => payload.uid === uid);
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#findWhere((payload) => payload.userCode === userCode);
  }

  async consume(id: string): Promise<void> {
    const payload = this.#entries.get(id)?.payload;
    // A consumed refresh token stays known, because its reuse is a sign of theft.
    if (payload) payload.consumed ??= Math.floor(Date.now() / 1000);
  }

  async destroy(id: string): Promise<void> {
    this.#entries.delete(id);
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    for (const [id, { payload }] of this.#entries) {
      if (payload.grantId === grantId) this.#entries.delete(id);
    }
  }

  #findWhere(matches: (payload: AdapterPayload) => boolean): AdapterPayload | undefined {
    return [...this.#entries.values()].find(({ payload }) => matches(payload))?.payload;
  }

  #sweep(): void {
    for (const [id, { expiresAtMs }] of this.#entries) {
      if (expiresAtMs <= Date.now()) this.#entries.delete(id);
    }
  }
}

/**
 * The user of a browser session is never stored: every authorization asks for the user, so that one browser can log in
 * as several users. Only the binding of the device flow's forms to their browser is stored.
 */
class ForgetfulAdapter extends MemoryAdapter {
  override async upsert(id: string, payload: AdapterPayload, expiresInSeconds?: number): Promise<void> {
    const { kind, jti, uid, iat, exp, state } = payload;
    if (state)
      await super.upsert(id, { kind, jti, uid, iat, exp, state } as AdapterPayload, expiresInSeconds);
    else await this.destroy(id);
  }
}

/** Registered clients, and clients whose id contains their registration. */
class ClientAdapter extends MemoryAdapter {
  readonly #isMcpClient: (clientId: string) => boolean;

  constructor(isMcpClient: (clientId: string) => boolean) {
    super();
    this.#isMcpClient = isMcpClient;
  }

  override async find(id: string): Promise<AdapterPayload | undefined> {
    const registered = await super.find(id);
    return registered ?? (this.#isMcpClient(id) ? registrationIn(id) : undefined);
  }
}

/** Refresh tokens: each is accepted once; those of MCP clients also for some seconds after the first use. */
class RefreshTokenAdapter extends MemoryAdapter {
  readonly #isMcpClient: (clientId: string) => boolean;
  readonly #toleratedScopes: () => readonly string[];

  constructor(isMcpClient: (clientId: string) => boolean, toleratedScopes: () => readonly string[]) {
    super();
    this.#isMcpClient = isMcpClient;
    this.#toleratedScopes = toleratedScopes;
  }

  override async find(id: string): Promise<AdapterPayload | undefined> {
    const payload = await super.find(id);
    if (!payload || !this.#isMcpClient(payload.clientId ?? '')) return payload;
    const { consumed, scope = '', ...rest } = payload;
    // `oidc-provider` stores the time of `consume` here, in seconds since the epoch.
    const sinceUse = Date.now() / 1000 - Number(consumed ?? 0);
    return {
      ...rest,
      ...(consumed !== undefined && sinceUse > REFRESH_GRACE_SECONDS && { consumed }),
      scope: [...new Set([...scope.split(' '), ...this.#toleratedScopes()])].join(' '),
    };
  }
}

import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider';

interface Entry {
  readonly payload: AdapterPayload;
  readonly expiresAtMs: number;
}

/** Expired entries are swept out after this many writes. */
const WRITES_PER_SWEEP = 1000;

/** What the identity provider remembers, in memory: one map per kind of record, gone with the process. */
export function createProviderStorage(): AdapterFactory {
  const kinds = new Map<string, MemoryAdapter>();
  return (kind) => {
    const adapter = kinds.get(kind) ?? (kind === 'Session' ? new ForgetfulAdapter() : new MemoryAdapter());
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
    const payload = await this.find(id);
    // A consumed refresh token stays known: presenting it again is what gives a theft away.
    if (payload) payload.consumed = Math.floor(Date.now() / 1000);
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
 * Who is logged in in a browser is never kept: every authorization asks again who is there, so that one browser
 * can log in as several users. Kept is only what ties the forms of the device flow to the browser they are in.
 */
class ForgetfulAdapter extends MemoryAdapter {
  override async upsert(id: string, payload: AdapterPayload, expiresInSeconds?: number): Promise<void> {
    const { kind, jti, uid, iat, exp, state } = payload;
    if (state)
      await super.upsert(id, { kind, jti, uid, iat, exp, state } as AdapterPayload, expiresInSeconds);
    else await this.destroy(id);
  }
}

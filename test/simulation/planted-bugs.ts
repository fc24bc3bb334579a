import type { RefreshTokens } from '../../packages/sessions/src/account/refresh/granted-tokens.js';
import { TokenRefresher } from '../../packages/sessions/src/account/refresh/refresher.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { SessionChange } from '../../packages/sessions/src/session/session-records.js';
import type { SessionRegistry } from '../../packages/sessions/src/session/session-registry.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';
import { Deadlines } from '../../packages/sessions/src/time/deadlines.js';
import { Vault } from '../../packages/sessions/src/vault/vault.js';
import { withoutForeignClaims } from '../support/planted-claims.js';
import type { PlantedParts } from './world.js';

/** Bugs that this code could have. Each replaces one part of the library. */
export const plantedBugs = {
  'a refresh that commits whatever has happened since': { wrapRegistry: withoutGenerations },

  'refreshes of the same token set at the same time': {
    // The claim alone prevents this, too.
    wrapRefresh: withoutClaims,
    createRefreshes: (options) => {
      const refreshes = new TokenRefresher(options);
      // Each caller has its own, so it does not wait for the refreshes of the others.
      refreshes.refresh = (...account) => new TokenRefresher(options).refresh(...account);
      return refreshes;
    },
  },

  'a refresh that fails and gives up an account that has newer tokens': {
    wrapRegistry: (registry) =>
      withStaleChanges(registry, (stale, current) => {
        const isGivenUp = Object.values(stale).some(({ state }) => state === 'reauthentication_required');
        return isGivenUp && Object.keys(current).length > 0;
      }),
  },

  'a refresh that comes late and replaces newer tokens': {
    wrapRegistry: (registry) => withStaleChanges(registry, (_stale, current) => current.idp !== undefined),
  },

  'a new refresh token that is not kept': {
    wrapRefresh: (refresh) => async (provider, refreshToken, guard) => {
      const outcome = await refresh(provider, refreshToken, guard);
      if (outcome.kind !== 'granted') return outcome;
      const { granted } = outcome;
      return { ...outcome, granted: { ...granted, tokens: { ...granted.tokens, refreshToken: undefined } } };
    },
  },

  'a refresh that comes back after a sign-out and is kept': {
    wrapRegistry: (registry) => withStaleChanges(registry, (_stale, current) => current.idp === undefined),
  },

  'a refresh that comes back too late and is not revoked': {
    createRefreshes: (options) => {
      const disposal = new Proxy(options.disposal, {
        get: (target, name) => (name === 'revoke' ? async () => undefined : bound(target, name)),
      });
      return new TokenRefresher({ ...options, disposal });
    },
  },

  'a breaker that never closes': { wrapRefresh: openForEver },

  'a store that lets the last writer win': {
    wrapStore: (store) => withMethods(store, { replace: (next) => overwrite(store, next) }),
  },

  'a login of another user without a sign-out of the first': {
    wrapRegistry: (registry) => {
      const update: SessionRegistry['update'] = (ref, change) =>
        registry.update(ref, (record) => {
          const fields = change(record);
          return fields && { ...fields, epoch: record.epoch };
        });
      return new Proxy(registry, {
        get: (target, name) => (name === 'update' ? update : bound(target, name)),
      });
    },
  },

  'sign-outs that do not abort what runs': {
    wrapRegistry: (registry) => {
      const never = new AbortController().signal;
      return new Proxy(registry, {
        get: (target, name) => (name === 'signalOf' ? () => never : bound(target, name)),
      });
    },
  },

  'a wipe that does not wipe': {
    createVault: (keys, random) => {
      const vault = new Vault(keys, random);
      vault.wipe = () => undefined;
      return vault;
    },
  },

  'timers that are kept after the end of their session': {
    createDeadlines: (clock, onError) => {
      const deadlines = new Deadlines(clock, onError);
      const at = deadlines.at.bind(deadlines);
      deadlines.at = (atMs, run) => {
        let isCancelled = false;
        at(atMs, () => {
          if (!isCancelled) run();
        });
        return {
          cancel: () => {
            isCancelled = true;
          },
        };
      };
      return deadlines;
    },
  },

  'a limit of sessions that is checked apart from the insertion': {
    wrapStore: (store, clock) =>
      withMethods(store, {
        insert: async (record, limits) => {
          const { refs } = await store.refs();
          if (refs.length >= limits.maxSessions) return store.insert(record, limits);
          await new Promise<void>((resolve) => clock.after(50, resolve));
          return store.insert(record, { ...limits, maxSessions: Number.POSITIVE_INFINITY });
        },
      }),
  },

  'an end that leaves the record where it is': {
    wrapStore: (store) => withMethods(store, { take: (ref) => store.get(ref) }),
  },

  'tokens sealed under the same key for all sessions, in a store that mixes up its answers': {
    createVault: (keys, random) => {
      const shared = { sessionRef: '', owner: '', provider: '', generation: 0 };
      const vault = new Vault(keys, random);
      const { seal, open } = { seal: vault.seal.bind(vault), open: vault.open.bind(vault) };
      vault.seal = (plaintext) => seal(plaintext, shared);
      vault.open = (record) => open(record, shared);
      return vault;
    },
    wrapStore: mixingUp,
  },
} satisfies Readonly<Record<string, PlantedParts>>;

/** Bugs that show only if several nodes share the sessions. */
export const bugsOfNodes = {
  'tokens that come late and are revoked although an account has their grant': {
    wrapMayRevoke: () => async () => true,
  },

  // On one node, the signals of what runs are aborted besides.
  'sign-outs that do not make session objects void': {
    wrapStore: (store) =>
      withMethods(store, { replace: (next, ifVersion) => store.replace({ ...next, epoch: 0 }, ifVersion) }),
  },

  'a claim of a refresh that others ignore': { wrapRegistry: withoutForeignClaims },

  'a refresh that is sent although its claim has ended': {
    wrapSend: (send) => (provider, refreshToken, beforeSend) =>
      send(provider, refreshToken, async () => (await beforeSend()) && (() => true)),
  },
} satisfies Readonly<Record<string, PlantedParts>>;

/** Bugs of the adapter for Redis, and of those who use it, that show if several nodes share an engine with its faults. */
export const bugsOfRedis = {
  'a command that takes effect after its caller has given up': {
    patchScripts: without(/if now > tonumber\(ARGV\[1\]\) then .* end/),
  },

  'a change that does not compare the version': {
    patchScripts: replacing(
      ['replace-session'],
      "if redis.call('HGET', sessionKey(ref), 'v') ~= ARGV[3] then return 0 end",
      '',
    ),
  },

  'a refresh that commits whatever has happened since':
    plantedBugs['a refresh that commits whatever has happened since'],

  'a visit that revives an ended session': {
    wrapStore: (store) => {
      const seen = new Map<string, SessionRecord>();
      return withMethods(store, {
        visit: async (...visit) => {
          const record = await store.visit(...visit);
          if (record) seen.set(record.ref, record);
          const last = seen.get(visit[0]);
          if (!record && last) await store.insert(last, UNLIMITED);
          return record ?? last;
        },
      });
    },
  },

  'due sessions without a lease': {
    patchScripts: replacing(
      ['due-sessions'],
      "redis.call('ZADD', P .. 'due', string.format('%.3f', now + ARGV[3]), ref)",
      "redis.call('ZREM', P .. 'due', ref)",
    ),
  },

  'a sign-out that leaves the index': {
    patchScripts: replacing(
      ['replace-session', 'take-session'],
      "redis.call('ZREM', P .. 'i:' .. name, ref)",
      'local _ = name',
    ),
  },

  'an end that leaves the record where it is': plantedBugs['an end that leaves the record where it is'],

  'a limit of sessions that is checked apart from the insertion':
    plantedBugs['a limit of sessions that is checked apart from the insertion'],

  'sign-outs that do not make session objects void':
    bugsOfNodes['sign-outs that do not make session objects void'],

  'a claim of a refresh that others ignore': bugsOfNodes['a claim of a refresh that others ignore'],
} satisfies Readonly<Record<string, PlantedParts>>;

const UNLIMITED = { maxSessions: 1_000_000, maxAnonymous: 1_000_000 };

/** Takes something out of every script. */
function without(text: RegExp): (lua: string) => string {
  return (lua) => {
    if (!text.test(lua)) throw new Error(`No script has ${text}.`);
    return lua.replace(text, '');
  };
}

/** Replaces something in some scripts. */
function replacing(scripts: readonly string[], text: string, by: string): (lua: string) => string {
  return (lua) => {
    if (!scripts.some((name) => lua.startsWith(`-- mcp-sessions ${name} `))) return lua;
    if (!lua.includes(text)) throw new Error(`No script has ${text}.`);
    return lua.replace(text, by);
  };
}

type Accounts = SessionRecord['accounts'];

/**
 * Makes a change that does not fit the newest state, as if the state were one of those read before.
 * @param takesPlace given the accounts that the change makes, and those that there are
 */
function withStaleChanges(
  registry: SessionRegistry,
  takesPlace: (stale: Accounts, current: Accounts) => boolean,
): SessionRegistry {
  const seen = new Map<string, Accounts[]>();
  const get: SessionRegistry['get'] = async (ref) => {
    const record = await registry.get(ref);
    if (record) seen.set(ref, [...(seen.get(ref) ?? []), record.accounts].slice(-20));
    return record;
  };
  const update: SessionRegistry['update'] = (ref, change) => {
    const staleChange: SessionChange = (record) => {
      const fields = change(record);
      if (fields) return fields;
      for (const accounts of seen.get(ref) ?? []) {
        const stale = change({ ...record, accounts });
        if (stale?.accounts && takesPlace(stale.accounts, record.accounts)) return stale;
      }
      return undefined;
    };
    return registry.update(ref, staleChange);
  };
  const replaced: Record<string | symbol, unknown> = { get, update };
  return new Proxy(registry, { get: (target, name) => replaced[name] ?? bound(target, name) });
}

/** Sends refreshes although others have sent the same token. */
function withoutClaims(refresh: RefreshTokens): RefreshTokens {
  return (provider, refreshToken, guard) =>
    refresh(provider, refreshToken, { ...guard, beforeSend: async () => () => true });
}

/** Lets no refresh through after five failures in a row. */
function openForEver(refresh: RefreshTokens): RefreshTokens {
  let failures = 0;
  return async (...request) => {
    if (failures >= 5) return { kind: 'unavailable', retryAfterSeconds: 30, cause: undefined };
    const outcome = await refresh(...request);
    failures = outcome.kind === 'granted' || outcome.kind === 'grant_revoked' ? 0 : failures + 1;
    return outcome;
  };
}

/** Gives each change the accounts of an earlier read, not the current ones. */
function withoutGenerations(registry: SessionRegistry): SessionRegistry {
  const seen = new Map<string, SessionRecord['accounts']>();
  const get: SessionRegistry['get'] = async (ref) => {
    const record = await registry.get(ref);
    if (record && !seen.has(ref)) seen.set(ref, record.accounts);
    return record;
  };
  const update: SessionRegistry['update'] = (ref, change) => {
    const accounts = seen.get(ref);
    seen.delete(ref);
    return registry.update(ref, (record) => change(accounts ? { ...record, accounts } : record));
  };
  const replaced: Record<string | symbol, unknown> = { get, update };
  return new Proxy(registry, { get: (target, name) => replaced[name] ?? bound(target, name) });
}

/** Sometimes answers with the accounts of another session. */
function mixingUp(store: SessionStore): SessionStore {
  const accounts = new Map<string, SessionRecord['accounts']>();
  let answers = 0;
  return withMethods(store, {
    get: async (ref) => {
      const record = await store.get(ref);
      if (!record) return undefined;
      accounts.set(ref, record.accounts);
      const others = [...accounts.entries()].filter(([other]) => other !== ref);
      const other = others[answers++ % Math.max(others.length, 1)];
      return answers % 7 === 0 && other ? { ...record, accounts: other[1] } : record;
    },
  });
}

async function overwrite(store: SessionStore, next: SessionRecord): Promise<boolean> {
  const current = await store.get(next.ref);
  if (current) return store.replace(next, current.version);
  const { kind } = await store.insert(next, UNLIMITED);
  return kind === 'inserted';
}

function withMethods(store: SessionStore, methods: Partial<SessionStore>): SessionStore {
  return {
    insert: (record, limits) => store.insert(record, limits),
    get: (ref) => store.get(ref),
    visit: (ref, atMs, quietMs) => store.visit(ref, atMs, quietMs),
    replace: (next, ifVersion) => store.replace(next, ifVersion),
    take: (ref, reason) => store.take(ref, reason),
    endReasonOf: (ref) => store.endReasonOf(ref),
    refsOf: (key) => store.refsOf(key),
    refs: (after) => store.refs(after),
    postpone: (ref, atMs) => store.postpone(ref, atMs),
    consumeDue: (run) => store.consumeDue(run),
    ...methods,
  };
}

/** Private fields do not survive a proxy unless methods keep their own object. */
function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === 'function' ? value.bind(target) : value;
}

import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { SessionRegistry } from '../../packages/sessions/src/session/session-registry.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';
import { Deadlines } from '../../packages/sessions/src/time/deadlines.js';
import { Vault } from '../../packages/sessions/src/vault/vault.js';
import type { PlantedParts } from './world.js';

/** Bugs of the kind that this code could have, each made by putting another part into its place. */
export const plantedBugs: Readonly<Record<string, PlantedParts>> = {
  'a refresh that commits whatever has happened since': { wrapRegistry: withoutGenerations },

  'a store that lets the last writer win': {
    wrapStore: (store) => withMethods(store, { replace: async (next) => overwrite(store, next) }),
  },

  'sign-outs that do not make session objects void': {
    wrapStore: (store) => withMethods(store, { replace: (next) => store.replace({ ...next, epoch: 0 }) }),
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

  'timers that are not cancelled': {
    createDeadlines: (clock, onError) => {
      const deadlines = new Deadlines(clock, onError);
      const at = deadlines.at.bind(deadlines);
      deadlines.at = (atMs, run) => {
        at(atMs, run);
        return { cancel: () => undefined };
      };
      return deadlines;
    },
  },

  'an end that leaves the record where it is': {
    wrapStore: (store) => withMethods(store, { take: (ref) => store.get(ref) }),
  },

  'tokens sealed under the same key for everybody, in a store that mixes up its answers': {
    createVault: (keys, random) => {
      const everybody = { sessionRef: '', owner: '', provider: '', generation: 0 };
      const vault = new Vault(keys, random);
      const { seal, open } = { seal: vault.seal.bind(vault), open: vault.open.bind(vault) };
      vault.seal = (plaintext) => seal(plaintext, everybody);
      vault.open = (record) => open(record, everybody);
      return vault;
    },
    wrapStore: mixingUp,
  },
};

/** Shows every change the accounts as they were when somebody last began to look, not as they are. */
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

/** Answers now and then with the accounts of another session. */
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
  return current ? store.replace({ ...next, version: current.version + 1 }) : store.insert(next);
}

function withMethods(store: SessionStore, methods: Partial<SessionStore>): SessionStore {
  return {
    insert: (record) => store.insert(record),
    get: (ref) => store.get(ref),
    replace: (next) => store.replace(next),
    touch: (ref, atMs) => store.touch(ref, atMs),
    take: (ref) => store.take(ref),
    ...methods,
  };
}

/** Private fields do not survive a proxy unless methods keep their own object. */
function bound(target: SessionRegistry, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === 'function' ? value.bind(target) : value;
}

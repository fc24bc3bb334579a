import type { SessionRegistry } from '../../packages/sessions/src/session/session-registry.js';

/** A registry whose changes do not see that a refresh has claimed an account. */
export function withoutForeignClaims(registry: SessionRegistry): SessionRegistry {
  const update: SessionRegistry['update'] = (ref, change, options) =>
    registry.update(
      ref,
      (record) => {
        const accounts = Object.values(record.accounts).map((account) => ({ ...account, claim: undefined }));
        const unclaimed = Object.fromEntries(accounts.map((account) => [account.provider, account]));
        return change({ ...record, accounts: unclaimed });
      },
      options,
    );
  return new Proxy(registry, {
    get: (target, name) => {
      const value: unknown = name === 'update' ? update : Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

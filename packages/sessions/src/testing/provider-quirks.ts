import type { ProviderOptions } from '../provider/provider-options.js';
import type { ProviderBehaviour, Quirk, QuirkFacts, QuirkHooks } from './quirk-hooks.js';
import { QUIRKS, type QuirkName } from './quirks.js';

type Fields = Record<string, unknown>;

/** The quirks of one provider, in their order. */
export class ProviderQuirks {
  readonly #quirks: readonly Quirk[];

  constructor(names: readonly QuirkName[]) {
    this.#quirks = names.map((name) => QUIRKS[name]);
  }

  /** What the provider does for its quirks, beside their hooks. */
  get behaviour(): ProviderBehaviour {
    return Object.assign({}, ...this.#quirks.map(({ provider }) => provider));
  }

  /** The hooks with a name. */
  hooks<Name extends keyof QuirkHooks>(name: Name): QuirkHooks[Name][] {
    return this.#quirks.flatMap(({ hooks }) => hooks[name] ?? []);
  }

  /** The first response of the hooks with a name. */
  answer<Name extends keyof QuirkHooks>(
    name: Name,
    call: (hook: QuirkHooks[Name]) => Response | undefined,
  ): Response | undefined {
    for (const hook of this.hooks(name)) {
      const response = call(hook);
      if (response) return response;
    }
    return undefined;
  }

  metadata(metadata: Fields, facts: QuirkFacts): Fields {
    return this.hooks('metadata').reduce((fields, hook) => hook(fields, facts), metadata);
  }

  /**
   * The options of the server under test: `base` with the registration of the client and, with `hasSettings`, the
   * options that deal with the quirks. Lists of settings are joined.
   */
  options(base: ProviderOptions, facts: QuirkFacts, hasSettings: boolean): ProviderOptions {
    const registered = Object.assign({ ...base }, ...this.#quirks.map(({ client }) => client));
    if (!hasSettings) return registered;
    return this.#quirks
      .map(({ settings = {} }) => (typeof settings === 'function' ? settings(facts) : settings))
      .reduce<ProviderOptions>(joined, registered);
  }
}

function joined(options: ProviderOptions, settings: Partial<ProviderOptions>): ProviderOptions {
  const lists = Object.entries(settings).flatMap(([name, value]) => {
    const earlier = options[name as keyof ProviderOptions];
    return Array.isArray(value) && Array.isArray(earlier)
      ? [[name, [...new Set([...earlier, ...value])]]]
      : [];
  });
  return { ...options, ...settings, ...Object.fromEntries(lists) };
}

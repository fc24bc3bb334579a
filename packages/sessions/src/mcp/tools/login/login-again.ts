/** What a call names that goes on with a login. */
export interface LoginNames {
  /** Whether it names the session by a handle. */
  readonly hasHandle: boolean;
  /** The provider; absent where it is the default one. */
  readonly provider: string | undefined;
}

/** How the model goes on with a login that is under way. */
export function callAgain(names: LoginNames): string {
  return callAgainWith(namedIn(names));
}

/** What the model does where the browser shows a confirmation code. */
export function presentCode(names: LoginNames): string {
  return `The browser shows a confirmation code. Ask the user for it and ${callAgainWith([...namedIn(names), 'the `code`'])}.`;
}

function namedIn({ hasHandle, provider }: LoginNames): string[] {
  return [
    ...(hasHandle ? ['this `session`'] : []),
    ...(provider === undefined ? [] : [`provider "${provider}"`]),
  ];
}

function callAgainWith(what: readonly string[]): string {
  if (what.length === 0) return 'call `login` again';
  const [last, ...others] = what.toReversed();
  const listed = others.length > 0 ? `${others.toReversed().join(', ')} and ${last}` : last;
  return `call \`login\` again with ${listed}`;
}

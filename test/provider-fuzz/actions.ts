/** What a walk does, and how often. */
const ACTIONS = {
  logIn: 10,
  renew: 4,
  logInByCode: 4,
  call: 12,
  reject: 1,
  wait: 8,
  waitForRefresh: 16,
  waitForExpiry: 6,
  endGrants: 3,
  startMaintenance: 3,
  mend: 6,
  loseAnswer: 2,
  refuseConnection: 3,
  failUserInfo: 2,
  echoSecret: 2,
  widenAnswer: 2,
  logOut: 3,
  logOutAtProvider: 3,
  end: 2,
  signOutByOperator: 1,
} as const;

export type Action = keyof typeof ACTIONS;

// Object.entries forgets that the keys are the actions.
export const DECK: readonly Action[] = (Object.entries(ACTIONS) as [Action, number][]).flatMap(
  ([action, count]) => Array.from({ length: count }, () => action),
);

/** How long an action waits: at least, and how much longer at most. */
export const WAITS_MS: Partial<Record<Action, readonly [number, number]>> = {
  wait: [0, 60_000],
  waitForRefresh: [400_000, 150_000],
  waitForExpiry: [600_000, 120_000],
};

/** The actions of a client or a user, which end no other session. */
export const ALONE: ReadonlySet<Action> = new Set<Action>([
  'logIn',
  'renew',
  'logInByCode',
  'call',
  'reject',
  'logOut',
  'end',
]);

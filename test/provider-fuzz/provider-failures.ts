import type { SessionEvent } from '../../packages/sessions/src/index.js';
import { Violation } from './violation.js';

type Of<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>;

const LOGIN_STEPS = new Set([
  'discovery',
  'authorization',
  'pushed_authorization',
  'token',
  'user_info',
  'device',
]);

/** Checks that each failure of the provider is reported once, with its reason and what to do. */
export function checkFailures(events: readonly SessionEvent[], failedRefreshes: number): void {
  const failures = of(events, 'provider.failed');
  for (const { reason, setting, advice } of failures) {
    if (!setting && !advice) throw new Violation(`A failure names no next step: ${reason}`);
  }
  checkReasons(events, failures);
  const reported = failures.filter(({ step }) => step === 'refresh');
  // What ends a grant is reported for the account only.
  const dead = of(events, 'account.reauthentication_required').filter(
    ({ failureReason }) => failureReason === 'grant_revoked',
  ).length;
  if (failedRefreshes === reported.length + dead) return;
  const reasons = reported.map(({ reason }) => reason).join(', ') || 'none';
  throw new Violation(
    `${failedRefreshes} refreshes have failed. Those reported: ${reasons}. Ended grants: ${dead}.`,
  );
}

/** Each failure of a login or an account has the reason of a failure of the provider before it. */
function checkReasons(events: readonly SessionEvent[], failures: readonly Of<'provider.failed'>[]): void {
  for (const event of events) {
    if (event.type === 'login.failed' && event.reason !== undefined) {
      const causes = failures.filter(({ step, reason }) => LOGIN_STEPS.has(step) && reason === event.reason);
      if (causes.length !== 1)
        throw new Violation(`A login failed (${event.reason}), which is reported ${causes.length} times.`);
    }
    if (event.type === 'account.refresh_failed' && event.reason !== undefined) {
      if (!failures.some(({ reason }) => reason === event.reason))
        throw new Violation(
          `A refresh is postponed (${event.reason}), and the provider's failure is not reported.`,
        );
    }
  }
}

function of<Type extends SessionEvent['type']>(events: readonly SessionEvent[], type: Type): Of<Type>[] {
  return events.filter((event): event is Of<Type> => event.type === type);
}

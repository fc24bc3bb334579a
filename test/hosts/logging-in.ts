import type { Caller } from './caller.js';
import type { Report } from './report.js';
import { isDump, quoted } from './shown.js';
import type { User } from './user.js';

const LINK = /https?:\/\/127\.0\.0\.1:\d+\/connect\/[\w-]+/;
const MAX_LOGINS = 3;

/** The first login of a user: by the link that the model reads, or as the host asks them. */
export async function logIn(report: Report, caller: Caller, user: User): Promise<boolean> {
  let last = '';
  let openedByHost = false;
  const hasLink = await report.step('login link', async () => {
    const reads: string[] = [];
    for (let calls = 1; calls <= MAX_LOGINS; calls++) {
      last = await caller.call('login', calls === MAX_LOGINS ? { link: true } : {});
      openedByHost = isLoggedIn(last, user);
      if (openedByHost) return 'the host asks its user and opens the link';
      if (linkIn(last))
        return calls === 1 ? undefined : `on call ${calls}; before, the model reads ${reads.join(', ')}`;
      reads.push(quoted(last));
    }
    throw new Error(`no link; the model reads ${reads.join(', ')}`);
  });
  if (!hasLink) return false;
  return report.step('logged in', async () => {
    if (openedByHost) return undefined;
    await user.follow(linkIn(last) ?? '');
    const shown = await caller.call('login');
    if (!isLoggedIn(shown, user)) throw new Error(`after the sign-in the model reads ${quoted(shown)}`);
    return undefined;
  });
}

/** A further login, as often as it takes. */
export async function logInAgain(caller: Caller, user: User): Promise<void> {
  for (let calls = 1; calls <= MAX_LOGINS; calls++) {
    const shown = await caller.call('login');
    if (isLoggedIn(shown, user)) return;
    const link = linkIn(shown);
    if (link) await user.follow(link);
    else if (calls === MAX_LOGINS) throw new Error(`\`login\` says ${quoted(shown)}`);
  }
}

function linkIn(text: string): string | undefined {
  return isDump(text) ? undefined : LINK.exec(text)?.[0];
}

function isLoggedIn(text: string, { name }: User): boolean {
  return text.includes(name) && text.includes('authenticated');
}

import type { Answer } from './client.js';

/** The path of a login link. */
export function linkIn(text: string): string | undefined {
  return /"(?:loginUrl|url)":"http:[/][/][^/]+([/]connect[/][\w-]+)"/.exec(text)?.[1];
}

/** The handle of a session or pending login: in a result, or in the text of a call that waited. */
export function handleIn(text: string): string | undefined {
  const [, structured, told] = /"session":"([\w-]{43})"|session: ([\w-]{43})/.exec(text) ?? [];
  return structured ?? told;
}

export function requestStateIn(text: string): string | undefined {
  return /"requestState":"([^"]+)"/.exec(text)?.[1];
}

/** The form token of a page. */
export function formIn(text: string): string | undefined {
  return /name="form"[^>]*value="([^"]+)"/.exec(text)?.[1];
}

/** The confirmation code on a page. */
export function codeIn(text: string): string | undefined {
  return /class="code">([^<]+)</.exec(text)?.[1];
}

/** Whether a user has to enter a code at the provider. */
export function isForProvider(text: string): boolean {
  return text.includes('"userCode":"') || text.includes('type in the code');
}

/** Whether a login is complete. */
export function isLoggedIn(text: string): boolean {
  return text.includes('"status":"authenticated"') || text.includes(RAN);
}

/** Whether a call that waited for a login ran. */
export function hasRun(text: string): boolean {
  return text.includes(RAN);
}

const RAN = 'The user has logged in. session: ';

export function cookiesIn(headers: Answer['headers']): [name: string, value: string][] {
  return (headers['set-cookie'] ?? []).flatMap((cookie) => {
    const [, name, value] = /^([^=;]+)=([^;]*)/.exec(cookie) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as [string, string]];
  });
}

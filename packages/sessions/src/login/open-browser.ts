import { spawn } from 'node:child_process';
import { browserEnvironment } from './browser-environment.js';

/**
 * Opens an address in the browser of the user at this machine, where there is one. Never rejects: the address has
 * been given to the user in another way, too.
 */
export type OpenBrowser = (url: string) => Promise<void>;

/** What tells whether a browser can show itself. */
export interface Desktop {
  readonly platform: NodeJS.Platform;
  readonly environment: NodeJS.ProcessEnv;
}

/** The desktop this process runs on. */
export function currentDesktop(): Desktop {
  return { platform: process.platform, environment: process.env };
}

/**
 * What opens the browser of a desktop; `undefined` where there is none. The browser gets no more of the environment
 * than it needs: secrets of this server are part of it.
 * @param onError hears why an address could not be opened
 */
export function browserOpener(
  { platform, environment }: Desktop,
  onError: (error: unknown) => void,
): OpenBrowser | undefined {
  if (!hasBrowser({ platform, environment })) return undefined;
  return async (url) => {
    let failure: unknown;
    for (const command of launchersOf(platform)) {
      try {
        return await launch([...command, url], browserEnvironment(environment));
      } catch (error) {
        failure = error;
      }
    }
    onError(failure);
  };
}

/** What opens an address in the user's browser, the usual way first. */
function launchersOf(platform: NodeJS.Platform): readonly (readonly string[])[] {
  // Unlike `cmd /c start`, it passes the address through no shell.
  const windows = ['rundll32.exe', 'url.dll,FileProtocolHandler'];
  if (platform === 'darwin') return [['open']];
  if (platform === 'win32') return [windows];
  // The last two are there where Linux runs inside Windows.
  return [['xdg-open'], ['x-www-browser'], ['wslview'], windows];
}

/** Starts a program that outlives this process. Resolves when it runs; what it does then is its own affair. */
function launch([program = '', ...parameters]: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { env, stdio: 'ignore', detached: true, windowsHide: true });
    child.once('error', reject);
    child.once('spawn', () => {
      child.unref();
      resolve();
    });
  });
}

/** A Linux machine may well be a server without a screen. */
function hasBrowser({ platform, environment }: Desktop): boolean {
  if (platform === 'darwin' || platform === 'win32') return true;
  return Boolean(environment.DISPLAY || environment.WAYLAND_DISPLAY);
}

/**
 * Opens an address in the browser of whoever sits at this machine, where there is one. Never rejects: the
 * address has been given to the user in another way too.
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
 * What opens the browser of a desktop; `undefined` where there is none.
 * @param onError hears why an address could not be opened
 */
export function browserOpener(desktop: Desktop, onError: (error: unknown) => void): OpenBrowser | undefined {
  if (!hasBrowser(desktop)) return undefined;
  return async (url) => {
    try {
      // Only a process that speaks over stdio ever needs it.
      const { default: open } = await import('open');
      await open(url);
    } catch (error) {
      onError(error);
    }
  };
}

/** A Linux machine may well be a server without a screen. */
function hasBrowser({ platform, environment }: Desktop): boolean {
  if (platform === 'darwin' || platform === 'win32') return true;
  return Boolean(environment.DISPLAY || environment.WAYLAND_DISPLAY);
}

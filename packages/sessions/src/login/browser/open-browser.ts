import { spawn } from 'node:child_process';

/** The variables that a browser and its launcher need: paths, user, locale and display. */
const NEEDED = new Set(
  [
    // All systems.
    'PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TEMP TMP BROWSER',
    // Linux desktops.
    'DISPLAY WAYLAND_DISPLAY XAUTHORITY ICEAUTHORITY DBUS_SESSION_BUS_ADDRESS SESSION_MANAGER',
    'DESKTOP_SESSION GNOME_DESKTOP_SESSION_ID MATE_DESKTOP_SESSION_ID PULSE_SERVER NO_AT_BRIDGE',
    // Windows Subsystem for Linux.
    'WSL_DISTRO_NAME WSL_INTEROP WSLENV WSL2_GUI_APPS_ENABLED',
    // Windows.
    'SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT OS PUBLIC ALLUSERSPROFILE',
    'APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432',
    'COMMONPROGRAMFILES COMMONPROGRAMFILES(X86) COMMONPROGRAMW6432',
    'USERPROFILE USERNAME USERDOMAIN HOMEDRIVE HOMEPATH SESSIONNAME COMPUTERNAME',
    'PROCESSOR_ARCHITECTURE NUMBER_OF_PROCESSORS',
    // macOS.
    '__CF_USER_TEXT_ENCODING SECURITYSESSIONID',
  ].flatMap((names) => names.split(' ')),
);
/** Settings of locales, desktops and window toolkits. */
const NEEDED_FAMILY = /^(?:LC|XDG|GTK|GDK|QT|KDE|MOZ)_[A-Z0-9_]+$/;

/**
 * Opens a URL in the browser of this machine's user. Never rejects, because the user gets the URL in another way, too.
 */
export type OpenBrowser = (url: string) => Promise<void>;

/** The properties of a process that tell whether it can open a browser. */
export interface DesktopEnvironment {
  readonly platform: NodeJS.Platform;
  readonly environment: NodeJS.ProcessEnv;
}

/** The properties of this process. */
export function currentDesktop(): DesktopEnvironment {
  return { platform: process.platform, environment: process.env };
}

/**
 * The function that opens the desktop's browser; `undefined` without a desktop. The browser gets only the environment
 * variables that it needs, because the environment contains secrets of this server.
 * @param onError called if no command could open a URL
 */
export function browserOpener(
  { platform, environment }: DesktopEnvironment,
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

/** The commands that open a URL in the user's browser, in the order in which they are tried. */
function launchersOf(platform: NodeJS.Platform): readonly (readonly string[])[] {
  // Unlike `cmd /c start`, it does not pass the URL through a shell.
  const windows = ['rundll32.exe', 'url.dll,FileProtocolHandler'];
  if (platform === 'darwin') return [['open']];
  if (platform === 'win32') return [windows];
  // The last two exist in the Windows Subsystem for Linux.
  return [['xdg-open'], ['x-www-browser'], ['wslview'], windows];
}

/** Starts a program that outlives this process. Resolves when it has started; its result is ignored. */
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

/** Linux has a desktop only if there is a display. */
function hasBrowser({ platform, environment }: DesktopEnvironment): boolean {
  if (platform === 'darwin' || platform === 'win32') return true;
  return Boolean(environment.DISPLAY || environment.WAYLAND_DISPLAY);
}

/** Selects the environment variables that a browser needs. Names are compared without case, as on Windows. */
export function browserEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => {
      const upper = name.toUpperCase();
      return NEEDED.has(upper) || NEEDED_FAMILY.test(upper);
    }),
  );
}

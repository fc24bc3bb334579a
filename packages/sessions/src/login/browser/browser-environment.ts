/** The variables that a browser and its launcher need: paths, user, locale and display. */
const NEEDED = new Set([
  // All systems.
  ...[
    'PATH',
    'HOME',
    'USER',
    'LOGNAME',
    'SHELL',
    'LANG',
    'LANGUAGE',
    'TZ',
    'TMPDIR',
    'TEMP',
    'TMP',
    'BROWSER',
  ],
  // Linux desktops.
  ...[
    'DISPLAY',
    'WAYLAND_DISPLAY',
    'XAUTHORITY',
    'ICEAUTHORITY',
    'DBUS_SESSION_BUS_ADDRESS',
    'SESSION_MANAGER',
  ],
  ...[
    'DESKTOP_SESSION',
    'GNOME_DESKTOP_SESSION_ID',
    'MATE_DESKTOP_SESSION_ID',
    'PULSE_SERVER',
    'NO_AT_BRIDGE',
  ],
  // Windows Subsystem for Linux.
  ...['WSL_DISTRO_NAME', 'WSL_INTEROP', 'WSLENV', 'WSL2_GUI_APPS_ENABLED'],
  // Windows.
  ...['SYSTEMROOT', 'SYSTEMDRIVE', 'WINDIR', 'COMSPEC', 'PATHEXT', 'OS', 'PUBLIC', 'ALLUSERSPROFILE'],
  ...['APPDATA', 'LOCALAPPDATA', 'PROGRAMDATA', 'PROGRAMFILES', 'PROGRAMFILES(X86)', 'PROGRAMW6432'],
  ...['COMMONPROGRAMFILES', 'COMMONPROGRAMFILES(X86)', 'COMMONPROGRAMW6432'],
  ...['USERPROFILE', 'USERNAME', 'USERDOMAIN', 'HOMEDRIVE', 'HOMEPATH', 'SESSIONNAME', 'COMPUTERNAME'],
  ...['PROCESSOR_ARCHITECTURE', 'NUMBER_OF_PROCESSORS'],
  // macOS.
  ...['__CF_USER_TEXT_ENCODING', 'SECURITYSESSIONID'],
]);
/** Settings of locales, desktops and window toolkits. */
const NEEDED_FAMILY = /^(?:LC|XDG|GTK|GDK|QT|KDE|MOZ)_[A-Z0-9_]+$/;

/** Selects the environment variables that a browser needs. Names are compared without case, as on Windows. */
export function browserEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => {
      const upper = name.toUpperCase();
      return NEEDED.has(upper) || NEEDED_FAMILY.test(upper);
    }),
  );
}

import { describe, expect, it } from 'vitest';
import { browserOpener } from './open-browser.js';

describe('there is a browser to open', () => {
  it.each([
    ['on a Mac', 'darwin', {}, true],
    ['on Windows', 'win32', {}, true],
    ['on Linux with an X display', 'linux', { DISPLAY: ':0' }, true],
    ['on Linux with a Wayland display', 'linux', { WAYLAND_DISPLAY: 'wayland-0' }, true],
    ['but not on Linux without a display', 'linux', {}, false],
    ['but not on Linux with an empty one', 'linux', { DISPLAY: '', WAYLAND_DISPLAY: '' }, false],
  ] as const)('%s', (_where, platform, environment, expected) => {
    const opener = browserOpener({ platform, environment }, () => undefined);
    expect(opener !== undefined).toBe(expected);
  });
});

// Copies the pictures of docs/login.md from the screenshots that the browser tests have taken.
import { copyFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const taken = (name) => fileURLToPath(new URL(`test-results/screenshots/${name}.png`, root));
const shown = (name) => fileURLToPath(new URL(`docs/images/login/${name}.png`, root));

/** The page, the width of the window, and the name of the picture in the documentation. */
const PHONE = 360;
const DESKTOP = 1280;
const PICTURES = [
  ['connect', PHONE, 'connect'],
  ['connect', DESKTOP, 'connect-desktop'],
  ['connect-sign-in', PHONE, 'connect-sign-in'],
  ['code', PHONE, 'code'],
  ['done', PHONE, 'done'],
  ['failed-identity_mismatch', PHONE, 'failed'],
];

mkdirSync(fileURLToPath(new URL('docs/images/login/', root)), { recursive: true });
for (const [page, width, name] of PICTURES) {
  for (const scheme of ['light', 'dark']) {
    copyFileSync(taken(`${page}-${scheme}-${width}`), shown(`${name}-${scheme}`));
  }
}

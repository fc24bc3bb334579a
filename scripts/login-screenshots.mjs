// Copies the pictures that docs/login.md shows from those that the browser tests have just taken.
import { copyFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const taken = (name) => fileURLToPath(new URL(`test-results/screenshots/${name}.png`, root));
const shown = (name) => fileURLToPath(new URL(`docs/images/login/${name}.png`, root));

/** What a picture is of, and what it is called in the documentation. */
const PAGES = { connect: 'connect', code: 'code', done: 'done', 'failed-identity_mismatch': 'failed' };
const PHONE = 360;

mkdirSync(fileURLToPath(new URL('docs/images/login/', root)), { recursive: true });
for (const [page, name] of Object.entries(PAGES)) {
  for (const scheme of ['light', 'dark']) {
    copyFileSync(taken(`${page}-${scheme}-${PHONE}`), shown(`${name}-${scheme}`));
  }
}

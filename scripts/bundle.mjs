// Bundles a package. One file loads faster than hundreds of modules.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

/** What sends requests to providers is loaded on demand. */
const SHARED = /[\\/]src[\\/](?!provider[\\/])/;

/** The modules of `src` that `exports` and `bin` of a package name, without their ending. */
export function entriesOf(folder) {
  const { exports = {}, bin = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const targets = [...Object.values(exports).map((target) => target.default), ...Object.values(bin)];
  return targets.flatMap((target) => /^\.\/dist\/(.*)\.js$/.exec(target)?.[1] ?? []);
}

/**
 * Bundles these modules of a package. What several of them need, and what a dynamic `import` loads, is in files of its
 * own, so that every module exists once. Other packages stay imports.
 */
export async function bundle(folder, entries, into) {
  const build = await rolldown({
    cwd: folder,
    platform: 'node',
    input: Object.fromEntries(entries.map((name) => [name, `./src/${name}.ts`])),
    external: /^[a-z@]/,
  });
  try {
    await build.write({
      dir: join(folder, into),
      sourcemap: true,
      // Source maps contain the sources with their comments.
      comments: { jsdoc: false },
      // Otherwise each set of entries that share modules would have a file.
      codeSplitting: { groups: [{ name: 'shared', test: SHARED, minShareCount: 2 }] },
    });
  } finally {
    await build.close();
  }
}

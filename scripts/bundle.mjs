// Bundles a package. One file loads faster than hundreds of modules.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

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
    // Source maps contain the sources with their comments.
    await build.write({ dir: join(folder, into), sourcemap: true, comments: { jsdoc: false } });
  } finally {
    await build.close();
  }
}

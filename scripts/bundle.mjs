// Bundles a package. One file loads faster than hundreds of modules.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

/** Collects the modules that an entry imports, and those that they import, without `import()`. */
function modulesAtStart(entry, found) {
  return {
    name: 'modules-at-start',
    buildEnd() {
      const visit = (id) => {
        if (found.has(id)) return;
        found.add(id);
        for (const imported of this.getModuleInfo(id)?.importedIds ?? []) visit(imported);
      };
      visit(entry);
    },
  };
}

/** The modules of `src` that `exports` and `bin` of a package name, without their ending. */
export function entriesOf(folder) {
  const { exports = {}, bin = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const targets = [...Object.values(exports).map((target) => target.default), ...Object.values(bin)];
  return targets.flatMap((target) => /^\.\/dist\/(.*)\.js$/.exec(target)?.[1] ?? []);
}

/**
 * Bundles these modules of a package, of which the first is the main one. What several of them need, and what a dynamic
 * `import` loads, is in files of its own, so that every module exists once. Other packages stay imports.
 */
export async function bundle(folder, entries, into) {
  const atStart = new Set();
  const build = await rolldown({
    cwd: folder,
    platform: 'node',
    input: Object.fromEntries(entries.map((name) => [name, `./src/${name}.ts`])),
    external: /^[a-z@]/,
    plugins: [modulesAtStart(join(folder, 'src', `${entries[0]}.ts`), atStart)],
  });
  try {
    await build.write({
      dir: join(folder, into),
      sourcemap: true,
      // Source maps contain the sources with their comments.
      comments: { jsdoc: false },
      // Otherwise each set of entries that share modules would have a file.
      codeSplitting: { groups: [{ name: 'shared', test: (id) => atStart.has(id), minShareCount: 2 }] },
    });
  } finally {
    await build.close();
  }
}

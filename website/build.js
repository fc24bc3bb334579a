// Builds the website into `dist`: the pages of `docs` and the API reference. The links of a page are those of the
// repository; a link to a file that is no page becomes a link to DOCS_REPOSITORY_URL, or text if that is not set.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkLinks } from './check-links.js';

const website = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));
const pages = join(website, 'pages');
const dist = join(website, 'dist');
const repositoryUrl = process.env.DOCS_REPOSITORY_URL?.replace(/\/$/, '');

/** Where a Markdown file or a chart of the repository is on the website. Both paths are relative, with `/`. */
function pageOf(source) {
  if (/^(CONTRIBUTING|SECURITY|CHANGELOG)\.md$/.test(source)) return source.toLowerCase();
  if (source === 'README.md') return 'index.md';
  if (/^bench\/results\/.*\.svg$/.test(source)) return source.slice('bench/'.length);
  return /^docs\/.*\.md$/.test(source) ? source.slice('docs/'.length) : undefined;
}

function run(program, ...args) {
  const path = join(website, 'node_modules', '.bin', program);
  const { status } = spawnSync(path, args, { cwd: website, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${program} failed.`);
}

function rewriteLink(source, text, target) {
  if (/^[a-z]+:|^#/.test(target)) return `[${text}](${target})`;
  const [path, fragment] = target.split('#');
  const file = posix.normalize(posix.join(posix.dirname(source), path)).replace(/\/$/, '');
  if (!existsSync(join(root, file))) throw new Error(`${source} links to ${target}, which does not exist.`);
  const page = pageOf(file);
  if (page) {
    const here = posix.dirname(pageOf(source));
    const link = posix.relative(here, page);
    return `[${text}](${link.startsWith('.') ? link : `./${link}`}${fragment ? `#${fragment}` : ''})`;
  }
  return repositoryUrl ? `[${text}](${repositoryUrl}/${file})` : text;
}

/** Pages with tables that need the width of the outline. */
const WIDE = [
  'docs/limits.md',
  'docs/operations.md',
  'docs/performance.md',
  'docs/clients.md',
  'docs/protocol.md',
];

/** A picture follows the reader's choice of light or dark on the website, not that of the system. */
// biome-ignore lint/complexity/useMaxParams: `String.replace` passes one argument for each group.
function rewritePicture(_, attributes, dark, light, rest) {
  const image = (name, path) => `<img class="${name}" loading="lazy" src="./${path}"${attributes}${rest}>`;
  return `${image('light-only', light)}${image('dark-only', dark)}`;
}

function rewrite(source, markdown) {
  return markdown
    .split(/^(```[\s\S]*?^```)/m)
    .map((part) =>
      part.startsWith('```')
        ? part
        : part
            .replace(
              /<picture>()\s*<source [^>]*srcset="([^"]+)">\s*<img src="([^"]+)"([^>]*)>\s*<\/picture>/g,
              rewritePicture,
            )
            .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, (_, text, target) => rewriteLink(source, text, target)),
    )
    .join('');
}

function writePage(source) {
  const path = join(pages, pageOf(source));
  mkdirSync(dirname(path), { recursive: true });
  const frontMatter = WIDE.includes(source) ? '---\naside: false\n---\n\n' : '';
  writeFileSync(path, frontMatter + rewrite(source, readFileSync(join(root, source), 'utf8')));
}

const sources = readdirSync(join(root, 'docs'), { recursive: true })
  .map((path) => `docs/${path.replaceAll('\\', '/')}`)
  .filter((path) => path.endsWith('.md'));

for (const folder of [pages, dist]) rmSync(folder, { recursive: true, force: true });
run('typedoc', '--options', 'typedoc.json');
for (const source of [...sources, 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']) writePage(source);
cpSync(join(root, 'docs/images'), join(pages, 'images'), { recursive: true });
cpSync(join(root, 'bench/results'), join(pages, 'results'), {
  recursive: true,
  filter: (path) => !path.endsWith('.md'),
});
cpSync(join(website, 'home.md'), join(pages, 'index.md'));
cpSync(join(website, 'api.md'), join(pages, 'api/index.md'));
mkdirSync(join(pages, 'public'));
cpSync(join(website, 'icon.svg'), join(pages, 'public/icon.svg'));
for (const scheme of ['light', 'dark']) {
  cpSync(join(root, `docs/images/login/connect-${scheme}.png`), join(pages, `public/login-${scheme}.png`));
}
run('vitepress', 'build', '.');

// For language models: `llms.txt`, and the pages that it links to, as Markdown.
const llms = readFileSync(join(root, 'llms.txt'), 'utf8');
const linked = llms.replace(
  /\]\(([^)]+)\)/g,
  (_, file) => `](${file === 'README.md' ? file : pageOf(file)})`,
);
writeFileSync(join(dist, 'llms.txt'), linked);
for (const source of sources) cpSync(join(pages, pageOf(source)), join(dist, pageOf(source)));
for (const source of ['CONTRIBUTING.md', 'CHANGELOG.md'])
  cpSync(join(pages, pageOf(source)), join(dist, pageOf(source)));
cpSync(join(root, 'README.md'), join(dist, 'README.md'));

checkLinks(dist);
console.log(
  `The website is in ${relative(process.cwd(), dist)}. To look at it: npm --prefix website run preview`,
);

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

const pages = fileURLToPath(new URL('../pages/', import.meta.url));
const apiSidebar = `${pages}api/typedoc-sidebar.json`;

/** `# 4. Every token set has its own key`, without the mark. */
const title = (page) => /^# (.*)$/m.exec(readFileSync(pages + page, 'utf8'))[1];
const decisions = readdirSync(`${pages}adr`)
  .sort()
  .filter((name) => !name.startsWith('0001-'))
  .map((name) => ({ text: title(`adr/${name}`), link: `/adr/${name.replace(/\.md$/, '')}` }));

/** The fragment of a heading as on GitHub, so that a link into a page works there and here. */
const slugify = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');

const guides = [
  {
    text: 'Guides',
    items: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Writing tools', link: '/tools' },
      { text: 'Logging in', link: '/login' },
      { text: 'Sessions', link: '/sessions' },
      { text: 'Configuration', link: '/configuration' },
      { text: 'Providers', link: '/providers' },
      { text: 'Testing with providers', link: '/testing' },
      { text: 'Deployment', link: '/deployment' },
      { text: 'Operations', link: '/operations' },
      { text: 'Several servers', link: '/cluster' },
      { text: 'Migrating', link: '/migrating' },
    ],
  },
  {
    text: 'Reference',
    items: [
      { text: 'API', link: '/api/' },
      { text: 'Limits', link: '/limits' },
      { text: 'Performance', link: '/performance' },
      { text: 'Access tokens', link: '/access-tokens' },
      { text: 'Upstream tokens', link: '/tokens' },
      { text: 'Protocol', link: '/protocol' },
      { text: 'Clients', link: '/clients' },
    ],
  },
  {
    text: 'Security',
    items: [
      { text: 'Threat model', link: '/threat-model' },
      { text: 'Requirements', link: '/security-requirements' },
      { text: 'Tokens in memory', link: '/memory' },
      { text: 'Reporting a vulnerability', link: '/security' },
    ],
  },
  {
    text: 'Project',
    items: [
      { text: 'Glossary', link: '/adr/0001-vocabulary' },
      { text: 'Contributing', link: '/contributing' },
      { text: 'Changelog', link: '/changelog' },
      { text: 'Decisions', collapsed: true, items: decisions },
    ],
  },
];

const generated = existsSync(apiSidebar) ? JSON.parse(readFileSync(apiSidebar, 'utf8')) : [];
const api = generated.map((entry) => ({
  ...entry,
  collapsed: false,
  items: entry.items?.map((kind) => ({ ...kind, collapsed: false })),
}));

export default defineConfig({
  title: 'mcp-sessions',
  description: 'Multi-user sessions for MCP servers: each client logs in as its own user.',
  lang: 'en',
  base: process.env.DOCS_BASE ?? '/',
  srcDir: 'pages',
  outDir: 'dist',
  metaChunk: true,
  markdown: { anchor: { slugify } },
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${process.env.DOCS_BASE ?? '/'}icon.svg` }]],
  themeConfig: {
    nav: [
      {
        text: 'Guides',
        link: '/getting-started',
        activeMatch:
          '^/(getting-started|tools|login|sessions|configuration|providers|testing|deployment|cluster|migrating)',
      },
      { text: 'API', link: '/api/', activeMatch: '^/api/' },
      { text: 'Security', link: '/threat-model', activeMatch: '^/(threat-model|security|memory)' },
      { text: 'Changelog', link: '/changelog' },
    ],
    sidebar: {
      '/': guides,
      '/api/': [
        { text: 'Guides', link: '/getting-started' },
        { text: 'API reference', link: '/api/', items: api },
      ],
    },
    outline: { level: [2, 3] },
    search: { provider: 'local' },
    docFooter: { prev: 'Previous', next: 'Next' },
    footer: { message: 'MIT licence' },
  },
});

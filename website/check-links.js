import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const attributes = (html, name) =>
  [...html.matchAll(new RegExp(`\\s${name}="([^"]*)"`, 'g'))].map(([, value]) => value);

/** Text of an attribute, without character references. */
const decoded = (value) => value.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'");

/**
 * Checks that every link, image and fragment inside a built website leads somewhere.
 * @throws Error that lists those that do not
 */
export function checkLinks(dist) {
  const files = readdirSync(dist, { recursive: true }).filter((path) => path.endsWith('.html'));
  const pages = new Map(files.map((path) => [join(dist, path), readFileSync(join(dist, path), 'utf8')]));
  const ids = new Map([...pages].map(([path, html]) => [path, new Set(attributes(html, 'id'))]));
  const dead = [];
  let count = 0;
  for (const [path, html] of pages) {
    for (const link of [...attributes(html, 'href'), ...attributes(html, 'src')].map(decoded)) {
      if (/^[a-z][a-z+.-]*:|^\/\//.test(link)) continue;
      count += 1;
      const [target, fragment] = link.split('#');
      const [name] = decodeURI(target).split('?');
      const place = name === '' ? path : name.startsWith('/') ? join(dist, name) : join(dirname(path), name);
      const file = existsSync(place) && statSync(place).isDirectory() ? join(place, 'index.html') : place;
      const known = existsSync(file);
      if (known && (!fragment || !ids.has(file) || ids.get(file).has(decodeURIComponent(fragment)))) continue;
      dead.push(`${relative(dist, path)}: ${link}`);
    }
  }
  if (dead.length > 0) throw new Error(`Dead links:\n${[...new Set(dead)].join('\n')}`);
  console.log(`${count} links on ${pages.size} pages, none of them dead.`);
}

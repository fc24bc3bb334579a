// Lists the rules of docs/security-requirements.md that tests cite in their titles, as `[security 17]` or
// `[security 17, 22]`. It fails only if a test cites a rule that does not exist.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const document = 'docs/security-requirements.md';

/** Rule numbers in the order of the document: lines that begin with `17. `. */
function readRules() {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));
}

function testFiles() {
  return ['packages', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !/[\\/](node_modules|dist)[\\/]/.test(path)),
  );
}

/** The called function and its modifiers: for `it.each([…])`, { name: 'it', modifiers: ['each'] }. */
function callee(expression) {
  const modifiers = [];
  let node = expression;
  while (!ts.isIdentifier(node)) {
    if (ts.isPropertyAccessExpression(node)) modifiers.push(node.name.text);
    else if (!ts.isCallExpression(node) && !ts.isTaggedTemplateExpression(node)) return undefined;
    node = ts.isTaggedTemplateExpression(node) ? node.tag : node.expression;
  }
  return { name: node.text, modifiers };
}

/** Titles of the tests and suites in a file, except `skip` and `todo`. */
function titles(path) {
  const found = [];
  const visit = (node) => {
    if (ts.isCallExpression(node) && node.arguments.length > 0) {
      const called = callee(node.expression);
      if (['it', 'test', 'describe'].includes(called?.name)) {
        if (called.modifiers.some((modifier) => ['skip', 'todo'].includes(modifier))) return;
        const [title] = node.arguments;
        if (ts.isStringLiteralLike(title) || ts.isTemplateExpression(title)) found.push(title.getText());
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true));
  return found;
}

const rules = readRules();
const citedBy = new Map(rules.map((number) => [number, new Set()]));
const mistakes = [];

for (const path of testFiles()) {
  const file = relative(root, path);
  for (const title of titles(path)) {
    for (const [citation, list] of title.matchAll(/\[security([^\]]*)\]/gi)) {
      if (!/^ \d+(, \d+)*$/.test(list)) mistakes.push(`${file}: write ${citation} as [security 17, 22]`);
      for (const number of (list.match(/\d+/g) ?? []).map(Number)) {
        if (citedBy.has(number)) citedBy.get(number).add(file);
        else mistakes.push(`${file}: ${citation} cites rule ${number}, which ${document} does not have`);
      }
    }
  }
}

const cited = rules.filter((number) => citedBy.get(number).size > 0);
const uncited = rules.filter((number) => citedBy.get(number).size === 0);
for (const number of cited) console.log(`${number}\t${[...citedBy.get(number)].join(', ')}`);
console.log(`\n${cited.length} of ${rules.length} rules are cited by a test.`);
if (uncited.length > 0) console.log(`Not cited: ${uncited.join(', ')}`);
for (const mistake of mistakes) console.error(`✗ ${mistake}`);
process.exitCode = mistakes.length > 0 || rules.length === 0 ? 1 : 0;

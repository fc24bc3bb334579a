/**
 * Runs real hosts against the server, with a scripted model:
 * `npm run hosts [-- --only codex,gemini-cli] [--access open|bearer] [--long-seconds 66] [--jobs 1] [--transcripts folder] [--write]`.
 *
 * Run by hand: it installs hosts outside of the repository and takes minutes. `--write` keeps its tables in
 * `docs/clients.md`.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { CANDIDATES } from './candidates.js';
import { pinnedVersion } from './install.js';
import { Report } from './report.js';
import type { Candidate } from './running-host.js';
import { tryHost } from './scenario.js';
import { type Access, Stage, writeFiles } from './stage.js';
import { markdown } from './table.js';

/** The document with the last tables, and the line after which they follow. */
const DOCUMENT = 'docs/clients.md';
const MARKER = '<!-- from here on written by `npm run hosts -- --write` -->\n';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    only: text,
    access: text,
    'long-seconds': { ...text, default: '66' },
    jobs: { ...text, default: '1' },
    transcripts: text,
    write: { type: 'boolean', default: false },
  },
});
const only = values.only?.split(',');
const candidates = CANDIDATES.filter(({ name }) => !only || only.includes(name));
const modes: Access[] =
  values.access === 'bearer' || values.access === 'open' ? [values.access] : ['open', 'bearer'];

async function tryOne(candidate: Candidate, access: Access): Promise<Report> {
  const report = new Report(candidate.title, await pinnedVersion(candidate.pin));
  const stage = await Stage.start(access);
  try {
    const trial = { candidate, stage, access, report, longSeconds: Number(values['long-seconds']) };
    const printed = await tryHost(trial);
    if (values.transcripts)
      await writeFiles(values.transcripts, { [`${access}-${candidate.name}.txt`]: printed });
  } finally {
    await stage.stop();
  }
  for (const [step, { isOk, note }] of report.outcomes) {
    console.error(
      `${access} ${candidate.name}: ${isOk ? '✓' : '✗'} ${step}${note === undefined ? '' : ` (${note})`}`,
    );
  }
  return report;
}

/** In the order of the candidates, a few at a time. */
async function tryAll(access: Access): Promise<Report[]> {
  const reports: Report[] = [];
  const queue = candidates.entries();
  const worker = async () => {
    for (const [index, candidate] of queue) reports[index] = await tryOne(candidate, access);
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
  return reports;
}

async function keep(tables: string): Promise<void> {
  const [introduction] = (await readFile(DOCUMENT, 'utf8')).split(MARKER);
  await writeFile(DOCUMENT, `${introduction}${MARKER}\n${tables}`);
}

const tables: string[] = [];
for (const access of modes) tables.push(`## \`--access ${access}\`\n\n${markdown(await tryAll(access))}\n`);
console.log(`\n${tables.join('\n')}`);
if (values.write) await keep(tables.join('\n'));

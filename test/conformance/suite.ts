/**
 * The official MCP conformance suite, as a command.
 *
 * It requires Node 22 or newer. On older versions, npm installs Node 24 for the suite only; the fixture runs on the
 * Node version of this process.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

const suite = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
const suiteTimeoutMs = 10 * 60_000;

/** The result of a scenario. */
export interface Scenario {
  readonly name: string;
  readonly passes: number;
  readonly failures: number;
  /** Why the suite does not score it: `extension`, `pending` or `added-after-release`. */
  readonly unscoredBecause: string | undefined;
  /** The failed checks and warnings, with their messages. */
  readonly complaints: readonly string[];
}

export interface SuiteRun {
  readonly scenarios: readonly Scenario[];
  /** The number of scenarios that the suite announced. */
  readonly announced: number;
  /** The suite's own result for the scored scenarios. */
  readonly exitCode: number | null;
  /** The output of the suite. */
  readonly output: string;
}

/** Runs the server scenarios of a revision, including those that the suite does not score. */
export async function runRequirements(
  url: string,
  revision: string,
  onOutput: (text: string) => void,
): Promise<SuiteRun> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  try {
    const args = ['server', '--url', url, '--requirements', revision, '--output-dir', folder];
    const { output, exitCode } = await runSuite(args, onOutput);
    return readRun(output, exitCode, await readComplaints(folder));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function runSuite(args: string[], onOutput: (text: string) => void) {
  return new Promise<Pick<SuiteRun, 'output' | 'exitCode'>>((resolve, reject) => {
    const child = spawn('npm', [...npmExec(), 'conformance', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      shell: process.platform === 'win32',
      timeout: suiteTimeoutMs,
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      onOutput(chunk);
    });
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ output, exitCode }));
  });
}

/** The prefix of a command line that runs with the suite, and a compatible Node, on the PATH. */
function npmExec(): string[] {
  const packages = [suite];
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major < 22) {
    const platform = process.platform === 'win32' ? 'win' : process.platform;
    packages.push(`node-${platform}-${process.arch}@24`);
  }
  return ['exec', '--yes', '--loglevel=error', ...packages.map((name) => `--package=${name}`), '--'];
}

/** Reads the announcement, the summary `✓ ping: 2 passed, 0 failed`, and the list of unscored scenarios. */
function readRun(
  output: string,
  exitCode: number | null,
  complaints: ReadonlyMap<string, readonly string[]>,
): SuiteRun {
  const summary = output.slice(output.lastIndexOf('=== SUMMARY ==='));
  const reasons = new Map(
    [...summary.matchAll(/^ {2}[✓✗] (\S+) \((.+)\)$/gm)].map(([, name, reason]) => [name, reason]),
  );
  const scenarios = [...summary.matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed/gm)].map(
    ([, name = '', passes, failures]) => ({
      name,
      passes: Number(passes),
      failures: Number(failures),
      unscoredBecause: reasons.get(name),
      complaints: complaints.get(name) ?? [],
    }),
  );
  const announced = Number(/^Running requirements .* \((\d+) scenarios\)/m.exec(output)?.[1] ?? 0);
  return { scenarios, announced, exitCode, output };
}

const checksSchema = z.array(
  z.object({ name: z.string(), status: z.string(), errorMessage: z.string().optional() }),
);

/** Reads the result folders of the suite, such as `server-ping-2026-01-31T10-00-00-000Z`, by scenario. */
async function readComplaints(folder: string): Promise<Map<string, string[]>> {
  const complaints = new Map<string, string[]>();
  for (const entry of await readdir(folder)) {
    const scenario = /^server-(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/.exec(entry)?.[1];
    if (scenario === undefined) continue;
    const checks = checksSchema.parse(JSON.parse(await readFile(join(folder, entry, 'checks.json'), 'utf8')));
    const bad = checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING');
    complaints.set(
      scenario,
      bad.map(({ name, status, errorMessage = '' }) => `${status} ${name}: ${errorMessage}`),
    );
  }
  return complaints;
}

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
/** In the repository, where the packages are found that the code imports. */
const folder = join(root, 'test/dist');
const pages = [
  'README.md',
  'packages/sessions/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** What the fragments take for granted. Options that they leave out are optional here. */
const PREAMBLE = `
import type { Express } from 'express';
import type { Hono } from 'hono';
import { SessionError, type Session, type Sessions, type SessionsOptions, type ToolContext } from 'mcp-sessions';
import { FaultingProvider } from 'mcp-sessions/testing';
import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
declare const app: Express;
declare const honoApp: Hono;
declare const server: McpServer;
declare const context: ToolContext;
declare const sessions: Sessions;
declare const svg: Buffer;
declare const googleOptions: { issuer: string; clientId: string };
declare const githubOptions: typeof googleOptions & { endpoints: { authorization: string; token: string } };
declare const [id, api, clientId, clientSecret]: string[];
declare function cachedNotes(): { content: [] };
declare function createSessions(options: Partial<SessionsOptions>): Sessions;
export async function fragment() {
`;

interface Block {
  readonly page: string;
  readonly code: string;
  readonly file: string;
}

function blocksIn(page: string): Block[] {
  const codes = readFileSync(join(root, page), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g);
  return [...codes].map(([, code = ''], index) => {
    const file = join(folder, `${page.replaceAll('/', '-')}-${index}.ts`);
    return { page, code, file };
  });
}

/** A whole program as it is; a fragment in a function that has what it needs. */
function programOf(code: string): string {
  if (/^import /m.test(code)) return code;
  const whole = code.replace('…, ', '');
  const isProperty = /^providers: /.test(code);
  return `${PREAMBLE}${isProperty ? `createSessions({${whole}});` : `{${whole}}`}\n}\n`;
}

const blocks = pages.flatMap(blocksIn);

/** The errors of all blocks, by their files. */
function compile(): Map<string, string[]> {
  mkdirSync(folder, { recursive: true });
  // The examples import this one.
  writeFileSync(join(folder, 'notes.ts'), readFileSync(join(root, 'examples/notes.ts')));
  for (const { file, code } of blocks) writeFileSync(file, programOf(code));
  const program = ts.createProgram(
    blocks.map(({ file }) => file),
    {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      types: ['node'],
    },
  );
  return new Map(
    blocks.map(({ file }) => {
      const source = program.getSourceFile(file);
      const errors = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [file, errors.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))];
    }),
  );
}

describe('the code in the documentation', () => {
  const errors = compile();
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(blocks)('compiles in $page: $code', ({ file }) => {
    expect(errors.get(file)).toEqual([]);
  });
});

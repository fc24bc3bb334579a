import { describe, expect, it } from 'vitest';
import { allowedHostsSchema, allowedOriginsSchema } from './allow-lists.js';

const problemOf = (result: { error?: { issues: readonly { message: string }[] } | undefined }) =>
  result.error?.issues[0]?.message;

describe('allowed hosts', () => {
  it.each([
    ['mcp.example.com', 'mcp.example.com'],
    ['MCP.Example.com.', 'mcp.example.com'],
    ['my_pod', 'my_pod'],
    ['münchen.example', 'xn--mnchen-3ya.example'],
    ['10.0.3.7', '10.0.3.7'],
    ['::1', '[::1]'],
    ['[FD00::1]', '[fd00::1]'],
  ])('may be written %s', (value, expected) => {
    expect(allowedHostsSchema.parse([value])).toEqual([expected]);
  });

  it.each([
    ['*', 'wildcard'],
    ['*.example.com', 'wildcard'],
    ['mcp.example.com:443', 'without a port'],
    ['mcp.example.com:80', 'without a port'],
    ['[::1]:3000', 'without a port'],
    ['https://mcp.example.com', 'without a port'],
    ['mcp.example.com/mcp', 'without a port'],
    ['a b', 'without a port'],
    ['', 'without a port'],
  ])('are refused as %j, with a reason', (value, problem) => {
    const message = problemOf(allowedHostsSchema.safeParse([value]));
    expect(message).toContain(`"${value}" must`);
    expect(message).toContain(problem);
  });
});

describe('allowed origins', () => {
  it.each([
    ['https://app.example.com', 'https://app.example.com'],
    ['https://App.example.com:443/', 'https://app.example.com'],
    ['http://localhost:6274', 'http://localhost:6274'],
    ['http://[::1]:6274', 'http://[::1]:6274'],
    [
      'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
      'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    ],
    [
      'moz-extension://0d5d4a9e-1d3c-4f0e-9d58-6a3f3f1f8a10',
      'moz-extension://0d5d4a9e-1d3c-4f0e-9d58-6a3f3f1f8a10',
    ],
    ['vscode-webview://1a2b3c', 'vscode-webview://1a2b3c'],
    ['VSCODE-webview://Abc/', 'vscode-webview://Abc'],
    ['app://obsidian.md', 'app://obsidian.md'],
    ['app://-', 'app://-'],
    ['tauri://localhost', 'tauri://localhost'],
    ['file://', 'file://'],
  ])('may be written %s', (value, expected) => {
    expect(allowedOriginsSchema.parse([value])).toEqual([expected]);
  });

  it.each([
    ['*', 'wildcard'],
    ['https://*.example.com', 'wildcard'],
    ['chrome-extension://*', 'wildcard'],
    ['null', 'null'],
    ['https://app.example.com/page', 'without a path'],
    ['https://user@app.example.com', 'without a path'],
    ['app://host/page', 'without a path'],
    ['app.example.com', 'without a path'],
    ['https://', 'without a path'],
    ['data:text/html,x', 'without a path'],
    ['app://a b', 'without a path'],
  ])('are refused as %j, with a reason', (value, problem) => {
    const message = problemOf(allowedOriginsSchema.safeParse([value]));
    expect(message).toContain(`"${value}" must`);
    expect(message).toContain(problem);
  });
});

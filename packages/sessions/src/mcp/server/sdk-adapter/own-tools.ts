import type { McpServer } from '@modelcontextprotocol/server';
import { currentServer, replaceMethod } from './server-methods.js';
import type { TemplateTool } from './server-template.js';

/** The tools of the server object of a connection. */
export interface OwnTools {
  /** A tool by its name; `undefined` if there is none, or if the author handles the calls of all tools. */
  named(name: string): TemplateTool | undefined;
  /** Calls a tool as one of this server object. */
  run<T>(call: () => T): T;
}

/** @param tools the tools of the author, by their names; changes with each registration and update */
export function ownToolsOf(mcp: McpServer, tools: ReadonlyMap<string, TemplateTool>): OwnTools {
  let isAsUsual = true;
  for (const name of ['setRequestHandler', 'removeRequestHandler'] as const) {
    replaceMethod(mcp.server, name, (configure) => (...given) => {
      if (given[0] === 'tools/call') isAsUsual = false;
      return configure(...given);
    });
  }
  return {
    named: (name) => (isAsUsual ? tools.get(name) : undefined),
    run: (call) => currentServer.run(mcp, call),
  };
}

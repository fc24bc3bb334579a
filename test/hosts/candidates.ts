import { claudeCode, claudeCodePrint } from './hosts/claude-code.js';
import { codex } from './hosts/codex.js';
import { copilotCli } from './hosts/copilot-cli.js';
import { geminiCli } from './hosts/gemini-cli.js';
import { inspectorLegacy, inspectorModern } from './hosts/inspector.js';
import { mcpRemote } from './hosts/mcp-remote.js';
import { mcporter } from './hosts/mcporter.js';
import { oldSdks } from './hosts/old-sdk.js';
import { opencode } from './hosts/opencode.js';
import { modelHost } from './model-caller.js';
import type { Candidate } from './running-host.js';

/** All hosts, in the order of the table. */
export const CANDIDATES: readonly Candidate[] = [
  ...[claudeCode, claudeCodePrint, codex, geminiCli, copilotCli, opencode].map(modelHost),
  mcpRemote,
  inspectorLegacy,
  inspectorModern,
  mcporter,
  ...oldSdks,
];

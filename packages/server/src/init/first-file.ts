import { Document, type YAMLMap } from 'yaml';
import { type Answers, NO_SECRET, presetIn } from './answers.js';

const HEAD = ` yaml-language-server: $schema=./node_modules/mcp-sessions-server/config.schema.json
 The settings of mcp-sessions-server. It was written by init; change it as you like.`;

/** The configuration file that the answers make. */
export function fileOf(answers: Answers): string {
  const { provider, issuer, access } = answers;
  const secretFile = answers['client-secret-file'];
  const document = new Document({
    ...(answers['public-url'] && { publicUrl: answers['public-url'] }),
    tools: answers.tools,
    providers: [
      {
        ...(presetIn(provider) ? { preset: provider } : { issuer: provider }),
        ...(issuer !== undefined && { issuer }),
        clientId: answers['client-id'],
        ...(secretFile !== undefined && secretFile !== NO_SECRET && { clientSecretFile: secretFile }),
      },
    ],
    access: access === 'bearer' ? { issuer: answers['access-issuer'] } : { mode: access },
  });
  document.commentBefore = HEAD;
  commentOn(document, 'tools', ' Relative paths are relative to the folder of this file.');
  commentOn(
    document,
    'providers',
    ' Further settings, such as scopes and apiOrigins, are in the documentation.',
  );
  commentOn(document, 'access', ' Which clients are accepted.');
  return document.toString({ lineWidth: 0 });
}

function commentOn(document: Document, key: string, comment: string): void {
  const pair = (document.contents as YAMLMap).items.find((item) => String(item.key) === key);
  const node = pair?.key as { commentBefore?: string } | undefined;
  if (node) node.commentBefore = comment;
}

/** What the operator does next, in order. */
export function nextSteps(file: string, answers: Answers): string {
  const base = (answers['public-url'] || 'http://127.0.0.1:3000').replace(/\/$/, '');
  const secretFile = answers['client-secret-file'];
  const steps = [
    `Register this redirect URI at the provider: ${base}/callback`,
    ...(secretFile !== undefined && secretFile !== NO_SECRET
      ? [`Write the client secret to ${secretFile}, readable for the user of the server only (chmod 600).`]
      : []),
    `Write your tools to ${answers.tools}, if you have not: export default (server, context) => { … }`,
    `Check it: mcp-sessions-server check --config ${file}`,
    `Start it: mcp-sessions-server --config ${file}`,
  ];
  return `\n${file} is written. What to do next:\n\n${steps.map((step, index) => `  ${index + 1}. ${step}\n`).join('')}`;
}

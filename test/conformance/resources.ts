import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import { png } from './samples.js';

export function registerResources(server: McpServer): void {
  for (const [name, text] of [
    ['static-text', 'A text that never changes.'],
    ['watched-resource', 'A text for subscriptions.'],
  ] as const) {
    const uri = `test://${name}`;
    server.registerResource(name, uri, { description: text, mimeType: 'text/plain' }, () => ({
      contents: [{ uri, mimeType: 'text/plain', text }],
    }));
  }

  const image = 'test://static-binary';
  server.registerResource(
    'static-binary',
    image,
    { description: 'One pixel', mimeType: 'image/png' },
    () => ({
      contents: [{ uri: image, mimeType: 'image/png', blob: png }],
    }),
  );

  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description: 'Data by its id', mimeType: 'application/json' },
    (uri, { id }) => ({
      contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify({ id }) }],
    }),
  );

  // The SDK does not handle subscriptions of the 2025 revisions. These resources never change, so none is kept.
  server.server.setRequestHandler('resources/subscribe', () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', () => ({}));
}

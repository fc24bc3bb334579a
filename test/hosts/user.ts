import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Browser, type Page } from '../support/browser.js';

const MAX_PAGES = 5;

/** A user with a browser, who follows each link that a host opens to the last page. */
export class User {
  readonly name: string;
  /** The addresses that were opened, and how the last page of each answered. */
  readonly opened: { readonly url: string; readonly status: number }[] = [];
  readonly #browser = new Browser();
  readonly #server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://desk').searchParams.get('url') ?? '';
    this.follow(url).then(
      ({ status }) => response.end(`${status}`),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });

  constructor(name: string) {
    this.name = name;
  }

  /** Follows a link and submits every form. @returns the last page */
  async follow(url: string): Promise<Page> {
    let page = await this.#browser.open(url);
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      if (page.text.includes('name="username"')) {
        page = await this.#browser.submit(page, { username: this.name, password: 'any' });
      } else if (page.text.includes('value="continue"')) {
        page = await this.#browser.submit(page, { action: 'continue' });
      } else break;
    }
    this.opened.push({ url, status: page.status });
    return page;
  }

  /** Listens for links that the host opens. @returns the files below its `HOME` by which it finds the browser */
  async sitDown(): Promise<Record<string, string>> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    // A server that listens on a port has such an address.
    const { port } = this.#server.address() as AddressInfo;
    const desk = `http://127.0.0.1:${port}/?url=`;
    const open = (url: string) => `await fetch(${JSON.stringify(desk)} + encodeURIComponent(${url}))`;
    return {
      // Some hosts contain their own xdg-open, which looks for the browser of the desktop.
      '.local/share/applications/stage.desktop': DESKTOP_ENTRY,
      '.config/mimeapps.list': '[Default Applications]\nx-scheme-handler/http=stage.desktop\n',
      'bin/xdg-open': `#!/usr/bin/env node\n(async () => { ${open('process.argv.at(-1)')}; })();\n`,
      'bin/agree': `#!/usr/bin/env node\n${AGREE.replace('OPEN', open('JSON.parse(asked).url'))}`,
    };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** A hook of Claude Code that answers the question whether a link may be opened with yes. */
const AGREE = `
let asked = '';
process.stdin.on('data', (chunk) => { asked += chunk; });
process.stdin.on('end', async () => {
  OPEN;
  process.stdout.write(JSON.stringify({ hookSpecificOutput: { hookEventName: 'Elicitation', action: 'accept' } }));
});
`;

const DESKTOP_ENTRY = `[Desktop Entry]
Type=Application
Name=Browser
Exec=xdg-open %u
MimeType=x-scheme-handler/http;
`;

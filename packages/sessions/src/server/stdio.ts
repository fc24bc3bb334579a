/** What only a server over stdio needs, and loads. */
export { LoginListener } from '../login/browser/listener.js';
export { browserOpener, currentDesktop } from '../login/browser/open-browser.js';
export { StdioConnection } from '../mcp/stdio.js';

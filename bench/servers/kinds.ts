import type { Era } from '../load/echo-requests.js';

/** A server that is measured. */
export interface ServerKind {
  readonly name: string;
  /** Its name in tables and charts. */
  readonly label: string;
  readonly module: URL;
  readonly era: Era;
  /** Whether each client has a session. */
  readonly hasSessions: boolean;
  /** Whether it is this library. */
  readonly isOwn: boolean;
  /** An argument of its start. The library gets its options. */
  readonly argument?: string;
}

const moduleOf = (name: string) => new URL(`./${name}.js`, import.meta.url);
const peer = { hasSessions: true, isOwn: false, era: '2025' } as const;

/** The floor of an era gets the requests of that era. */
export const FLOORS: Readonly<Record<Era, ServerKind>> = {
  '2026': { ...peer, name: 'floor-2026', label: 'node:http floor', module: moduleOf('floor'), era: '2026' },
  '2025': { ...peer, name: 'floor-2025', label: 'node:http floor', module: moduleOf('floor') },
};

export const SDK_V2_HANDLER: ServerKind = {
  ...peer,
  name: 'sdk-v2-handler',
  label: 'SDK v2 createMcpHandler',
  module: moduleOf('peers/sdk-v2-handler'),
  era: '2026',
  hasSessions: false,
};

export const SDK_V2: ServerKind = {
  ...peer,
  name: 'sdk-v2',
  label: 'SDK v2, transport per session',
  module: moduleOf('peers/sdk-v2-sessions'),
};

export const SDK_V2_JSON: ServerKind = {
  ...SDK_V2,
  name: 'sdk-v2-json',
  label: 'SDK v2, with enableJsonResponse',
  argument: 'json',
};

export const SDK_V1: ServerKind = {
  ...peer,
  name: 'sdk-v1',
  label: 'SDK v1, transport per session',
  module: moduleOf('peers/sdk-v1-sessions'),
};

export const FASTMCP: ServerKind = {
  ...peer,
  name: 'fastmcp',
  label: 'fastmcp',
  module: moduleOf('peers/fastmcp'),
};

/** This library, for each era. */
export const PRODUCTS: Readonly<Record<Era, ServerKind>> = {
  '2026': {
    name: 'mcp-sessions-2026',
    label: 'mcp-sessions',
    module: moduleOf('product'),
    era: '2026',
    hasSessions: true,
    isOwn: true,
  },
  '2025': {
    name: 'mcp-sessions-2025',
    label: 'mcp-sessions',
    module: moduleOf('product'),
    era: '2025',
    hasSessions: true,
    isOwn: true,
  },
};

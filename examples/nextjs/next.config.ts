import type { NextConfig } from 'next';

// Loaded by Node from node_modules, and not bundled.
const config: NextConfig = { serverExternalPackages: ['mcp-sessions'] };

export default config;

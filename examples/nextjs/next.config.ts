import type { NextConfig } from 'next';

// Node loads the package from node_modules. It is not bundled.
const config: NextConfig = { serverExternalPackages: ['mcp-sessions'] };

export default config;

import { connectBridged } from './client-matrix/bridge.js';
import { describeJourneys } from './client-matrix/journey.js';

describeJourneys([
  {
    client: 'SDK 1.x through mcp-remote',
    hasHandle: false,
    start: (mcp) => connectBridged('SDK 1.x', mcp),
  },
]);

import { describePortsOfEngine } from './engine-contracts.js';

for (let seed = 1; seed <= 20; seed++) describePortsOfEngine(seed);

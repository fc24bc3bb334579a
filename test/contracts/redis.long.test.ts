import { describe } from 'vitest';
import { isInstalled } from '../support/installed-program.js';
import { REDIS } from '../support/redis-server.js';
import { describePortsOfRedis } from './redis-contracts.js';

describe.skipIf(!isInstalled(REDIS))('with redis-server', describePortsOfRedis);

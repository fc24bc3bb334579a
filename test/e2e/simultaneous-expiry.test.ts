import { describe } from 'vitest';
import { expiringTogether } from './simultaneous-expiry.js';

describe('a hundred users behind one address with tokens that are JWTs', () => expiringTogether('jwt'));

import { describe } from 'vitest';
import { expiringTogether } from './expired-together.js';

describe('a hundred users behind one address with tokens that are JWTs', () => expiringTogether('jwt'));

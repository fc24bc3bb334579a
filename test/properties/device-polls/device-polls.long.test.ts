import { describe } from 'vitest';
import { itEndsLogins } from './device-polls.js';

describe('polls for a code', () => {
  itEndsLogins(300);
});

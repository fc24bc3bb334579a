import { describeRotation } from './rotation.js';

describeRotation({ sessions: 20, rounds: 3 });

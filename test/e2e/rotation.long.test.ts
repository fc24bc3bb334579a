import { describeRotation } from './rotation.js';

describeRotation({ sessions: 500, rounds: 20 });

import { describeCrossover } from './crossover.js';

describeCrossover(200);

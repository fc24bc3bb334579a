import { EVERY_PAGE } from './every-page.js';
import { expectGoodLooks } from './looks.js';
import { describePages } from './pages.js';

describePages(EVERY_PAGE, expectGoodLooks);

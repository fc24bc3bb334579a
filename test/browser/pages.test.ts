import { EVERY_KIND_OF_PAGE } from './every-page.js';
import { expectGoodLookOnPhone } from './looks.js';
import { describePages } from './pages.js';

describePages(EVERY_KIND_OF_PAGE, expectGoodLookOnPhone);

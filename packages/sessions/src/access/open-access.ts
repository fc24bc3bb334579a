import { type Access, type Admission, type ArrivingRequest, refused } from './access.js';

const REMOTE =
  'This server is open to this machine only, and your request came from elsewhere, or through a proxy or tunnel. Its operator can let clients in with bearer tokens (`access`), or open it to the network by name.';

/** Lets everybody in who is near: what they can do depends on the session they name. */
export class OpenAccess implements Access {
  readonly #isOpenToNetwork: boolean;

  /** @param isOpenToNetwork whether those are let in, too, who are not on this machine */
  constructor(isOpenToNetwork: boolean) {
    this.#isOpenToNetwork = isOpenToNetwork;
  }

  /** Nobody is asked. */
  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async admit({ origin }: ArrivingRequest): Promise<Admission> {
    if (origin === 'remote' && !this.#isOpenToNetwork) return refused({ status: 403, description: REMOTE });
    return { isAdmitted: true, principal: undefined };
  }
}

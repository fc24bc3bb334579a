import fc, { type Arbitrary } from 'fast-check';
import { type Credential, FLAWS } from './access-tokens.js';
import { type Blueprint, LOGIN_SLOTS, MEMBERS_PER_ERA } from './blueprint.js';

/** Users without a canary: one for each temporary login, and some for all other requests. */
const SPARE_GUESTS = 8;
export const GUESTS: number = LOGIN_SLOTS + SPARE_GUESTS;

const spareGuest = fc.integer({ min: LOGIN_SLOTS, max: GUESTS - 1 });

/** The token of a member to whom the request does not belong. */
interface Other {
  readonly kind: 'other';
  readonly member: number;
}

const credential: Arbitrary<Credential | Other> = fc.oneof(
  { weight: 16, arbitrary: spareGuest.map((guest) => ({ kind: 'good', guest }) as const) },
  {
    weight: 2,
    arbitrary: fc.nat(2 * MEMBERS_PER_ERA - 1).map((member) => ({ kind: 'other', member }) as const),
  },
  { weight: 2, arbitrary: fc.constantFrom(...FLAWS).map((flaw) => ({ kind: 'flawed', flaw }) as const) },
);

/** Adds access tokens to requests. Most of them are valid. */
export function withCredentials(requests: Arbitrary<Blueprint>): Arbitrary<Blueprint> {
  return fc.tuple(requests, credential).map(([request, given]) => presented(request, given));
}

function presented(request: Blueprint, given: Credential | Other): Blueprint {
  const { showsOwner: _, steps: __, ...bare } = request;
  const { owner, ...anonymous } = bare;
  if (given.kind === 'flawed' && isForEndpoint(request))
    return { ...anonymous, kind: 'bearer: flawed token', credential: given, isUnwelcome: true };
  const anyGuest = given.kind === 'good' ? given.guest : LOGIN_SLOTS;
  // Two guests start all connections, so that they exceed their limit.
  const isStart = request.begins === undefined && request.body?.includes('"initialize"');
  const guest = request.pendingLogin ?? (isStart ? LOGIN_SLOTS + (anyGuest % 2) : anyGuest);
  const credential = { kind: 'good', guest } as const;
  // Requests that name a member never log a user out.
  return given.kind === 'other' && owner !== undefined && owner !== given.member
    ? { ...bare, owner: given.member, kind: 'bearer: another member', credential }
    : { ...request, credential };
}

/** Whether a request needs an access token. */
function isForEndpoint({ path, method }: Blueprint): boolean {
  return path === '/mcp' && ['GET', 'POST', 'DELETE'].includes(method);
}

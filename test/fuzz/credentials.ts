import fc, { type Arbitrary } from 'fast-check';
import { type Credential, FLAWS } from './access-tokens.js';
import { type Blueprint, MEMBERS_PER_ERA, TRIP_SLOTS } from './blueprint.js';

/** Users without a canary: one for every throw-away login, and some whose connections everything else is sent on. */
const SPARE_GUESTS = 8;
export const GUESTS: number = TRIP_SLOTS + SPARE_GUESTS;

const spareGuest = fc.integer({ min: TRIP_SLOTS, max: GUESTS - 1 });

/** The token of a member who has nothing to do with the request. */
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

/** The same requests with access tokens, most of which are good. */
export function withCredentials(requests: Arbitrary<Blueprint>): Arbitrary<Blueprint> {
  return fc.tuple(requests, credential).map(([request, given]) => presented(request, given));
}

function presented(request: Blueprint, given: Credential | Other): Blueprint {
  const { showsOwner: _, steps: __, ...bare } = request;
  const { owner, ...nobodys } = bare;
  if (given.kind === 'flawed' && isForEndpoint(request))
    return { ...nobodys, kind: 'bearer: flawed token', credential: given, isUnwelcome: true };
  const anyGuest = given.kind === 'good' ? given.guest : TRIP_SLOTS;
  // Two of them start all connections, so that they have more than they may have.
  const isStart = request.begins === undefined && request.body?.includes('"initialize"');
  const guest = request.trip ?? (isStart ? TRIP_SLOTS + (anyGuest % 2) : anyGuest);
  const credential = { kind: 'good', guest } as const;
  // Only what names a member is sure to log nobody out.
  return given.kind === 'other' && owner !== undefined && owner !== given.member
    ? { ...bare, owner: given.member, kind: 'bearer: another member', credential }
    : { ...request, credential };
}

/** Whether a request asks for what only users may ask for. */
function isForEndpoint({ path, method }: Blueprint): boolean {
  return path === '/mcp' && ['GET', 'POST', 'DELETE'].includes(method);
}

import type { Quirk } from './quirk-hooks.js';
import { ANSWER_QUIRKS, type AnswerQuirk } from './quirks/answer-quirks.js';
import { CLIENT_QUIRKS, type ClientQuirk } from './quirks/client-quirks.js';
import { GRANT_QUIRKS, type GrantQuirk } from './quirks/grant-quirks.js';
import { ID_TOKEN_QUIRKS, type IdTokenQuirk } from './quirks/id-token-quirks.js';
import { LOGIN_QUIRKS, type LoginQuirk } from './quirks/login-quirks.js';
import { REFRESH_QUIRKS, type RefreshQuirk } from './quirks/refresh-quirks.js';

/** A behaviour of real providers that a {@link FaultingProvider} can have. */
export type QuirkName = AnswerQuirk | ClientQuirk | GrantQuirk | IdTokenQuirk | LoginQuirk | RefreshQuirk;

/** What each quirk does, where it was seen, and the options that deal with it. */
export const QUIRKS: Readonly<Record<QuirkName, Quirk>> = {
  ...REFRESH_QUIRKS,
  ...LOGIN_QUIRKS,
  ...CLIENT_QUIRKS,
  ...ID_TOKEN_QUIRKS,
  ...ANSWER_QUIRKS,
  ...GRANT_QUIRKS,
};

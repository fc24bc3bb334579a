/** The maximum duration of a request, except that of a refresh. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** The maximum duration of a poll of the device flow: of a token request, and of one for user info. */
export const MAX_POLL_MS: number = 2 * REQUEST_TIMEOUT_MS;

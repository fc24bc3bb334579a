/** What the server calls its provider: part of what its keys are derived from. */
export const PROVIDER = 'hygiene';
/** Sets the keys that are kept on purpose apart from all others. */
export const CONTROL_PURPOSE = 'control';

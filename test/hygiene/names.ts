/** The name of the provider, from which keys are derived. */
export const PROVIDER = 'hygiene';
/** Separates the unwiped keys from all others. */
export const CONTROL_PURPOSE = 'control';

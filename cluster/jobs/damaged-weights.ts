/**
 * Code of the notice about weights that were committed and cannot be read. Whoever fetches them reports it; the job's trainer, which
 * follows the notices, publishes the version again from memory and resolves it.
 */
export const WEIGHTS_DAMAGED = 'WEIGHTS_DAMAGED';

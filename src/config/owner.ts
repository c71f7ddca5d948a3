/** Whose a job is, and how urgent. By itself: the command line's help says it, and needs no schema for that. */

/** What names an owner of jobs. */
export const OWNER_PATTERN = /^[a-z0-9._@-]{1,64}$/;

/** Owner of a job for which none was given. */
export const DEFAULT_OWNER = 'local';

/** Bounds of a job's priority. */
export const PRIORITY = { min: -100, max: 100 } as const;

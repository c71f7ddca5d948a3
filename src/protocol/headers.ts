/** Headers of a message in HELD, and of one that was returned from there. */
export const HELD_HEADERS = {
  /** Where it was published. */
  subject: 'Millrace-Held-Subject',
  /** Message id it was published with, URI-encoded: headers are one line of ASCII. */
  id: 'Millrace-Held-Id',
  /** Why it waits: a `Retry` as URI-encoded JSON. */
  retry: 'Millrace-Held-Retry',
  /** Its number in HELD, on a message that is returned to try whether the service answers. */
  probe: 'Millrace-Held-Probe',
} as const;

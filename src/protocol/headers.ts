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

/** Headers of a message whose bytes lie in PARTS (parts.ts). */
export const PART_HEADERS = {
  job: 'Millrace-Parts-Job',
  /** Names the parts of this message. */
  key: 'Millrace-Parts-Key',
  count: 'Millrace-Parts-Count',
  /** Bytes of all parts together. */
  bytes: 'Millrace-Parts-Bytes',
  /** SHA-256 of all parts together, in hex. */
  digest: 'Millrace-Parts-Sha256',
} as const;

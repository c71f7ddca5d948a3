/** A message that was given up, as it is kept. */
export interface DeadLetter {
  /** Stream it was given up in. */
  stream: string;
  /** Subject it was published on. */
  subject: string;
  data: Uint8Array;
  /** Message id it was published with. */
  id: string;
  /** Its sequence in `stream`. */
  sequence: number;
  /** Why; {@link MAX_DELIVERIES} when it was delivered too often. */
  reason: string;
  /** How often it was delivered. */
  deliveries: number;
  /** The headers it was published with. */
  headers: Readonly<Record<string, string>>;
}

/** Reason of a letter whose handlers never settled it. */
export const MAX_DELIVERIES = 'max_deliveries';

/** Characters of a reason that are kept. */
const MAX_REASON = 1000;

const PREFIX = 'Millrace-Dead-';

/** The id of a letter: however many see the message die, it is stored once (within the duplicate window). */
export function deadLetterId(stream: string, sequence: number): string {
  return `dlq:${stream}:${sequence}`;
}

/** Headers of the copy: those of the message, and what the copy must say about it. */
export function deadLetterHeaders(letter: Omit<DeadLetter, 'data'>): Record<string, string> {
  return {
    ...letter.headers,
    [`${PREFIX}Stream`]: letter.stream,
    [`${PREFIX}Subject`]: letter.subject,
    [`${PREFIX}Id`]: letter.id,
    [`${PREFIX}Sequence`]: String(letter.sequence),
    // Header values are one line, and messages leave little room for headers.
    [`${PREFIX}Reason`]: letter.reason
      .slice(0, MAX_REASON)
      .toWellFormed()
      .replace(/[\r\n]+/g, ' '),
    [`${PREFIX}Deliveries`]: String(letter.deliveries),
  };
}

/** Reads a letter back from a message of the DLQ. */
export function deadLetterOf(message: { data: Uint8Array; headers: Readonly<Record<string, string>> }): DeadLetter {
  const headers: Record<string, string> = {};
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (name.startsWith(PREFIX)) own[name.slice(PREFIX.length)] = value;
    else headers[name] = value;
  }
  return {
    stream: own['Stream'] ?? '',
    subject: own['Subject'] ?? '',
    data: message.data,
    id: own['Id'] ?? '',
    sequence: Number(own['Sequence'] ?? 0),
    reason: own['Reason'] ?? '',
    deliveries: Number(own['Deliveries'] ?? 0),
    headers,
  };
}

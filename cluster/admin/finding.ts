/** The fields of a `Finding` of admin.proto. */
export interface DurableFinding {
  place: string;
  what: string;
  problem: string;
  advice: string;
  removable: boolean;
}

/** The result of an inspection. */
export interface Findings {
  findings: DurableFinding[];
  /** Number of records, streams and durables inspected. */
  checked: number;
}

/** The command that removes what is in a place. */
export function removal(place: string): string {
  return `millrace doctor --remove ${/^[\w./=-]+$/.test(place) ? place : `'${place}'`} --yes`;
}

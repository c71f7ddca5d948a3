/** The fields of a `Finding` of admin.proto. */
export interface DurableFinding {
  place: string;
  what: string;
  problem: string;
  advice: string;
  removable: boolean;
}

/** What was looked at, and what is wrong with it. */
export interface Findings {
  findings: DurableFinding[];
  /** Things that were looked at. */
  checked: number;
}

/** The command that removes what is in a place. */
export function removal(place: string): string {
  return `millrace doctor --remove ${/^[\w./=-]+$/.test(place) ? place : `'${place}'`} --yes`;
}

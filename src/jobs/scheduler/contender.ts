/** A job that runs, or wants to. */
export interface Contender {
  id: string;
  owner: string;
  /** Higher ones first. */
  priority: number;
  /** Unix milliseconds. */
  createdAt: number;
}

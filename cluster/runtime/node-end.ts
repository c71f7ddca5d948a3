import type { ActivityLabel } from '../../src/clock/activity.ts';

/** How a node's process ended, as the supervisor saw it. */
export interface NodeEnd {
  /** "SIGKILL", "exit code 1"; how long it did not answer when the supervisor ended it for that. */
  how: string;
  /** It had no memory left. */
  outOfMemory: boolean;
  /** Resident memory when it was last heard of, in bytes. */
  rssBytes?: number | undefined;
  last?: LastActivity | undefined;
}

/** What a node's black box says after the node has ended. */
export interface LastActivity extends ActivityLabel {
  /** Its code ran at that moment; false: it was the last that had run. */
  running: boolean;
  /** When it began or went on, in Unix milliseconds. */
  at: number;
}

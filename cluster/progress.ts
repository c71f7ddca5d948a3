/** What a parameter server tells, at most once, about the round in progress; subject `progress.<job>`. */
export interface TrainingProgress {
  /** Newest committed version. */
  round: number;
  groups: { received: number; needed: number };
  shards?: { done: number; total: number };
  publishing?: boolean;
  learners: number;
  /** Of the last committed round. */
  last?: { reward: number; success: number; staleness: number; statistics: Record<string, number> };
}

export const progressSubject = (job: string): string => `progress.${job}`;

export function encodeProgress(progress: TrainingProgress): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(progress));
}

export function decodeProgress(bytes: Uint8Array): TrainingProgress {
  return JSON.parse(new TextDecoder().decode(bytes)) as TrainingProgress;
}

import { createHash } from 'node:crypto';
import { sha256 } from '../../src/artifacts/digest.ts';
import { assignmentOf, type Assignment } from '../../src/jobs/experiments/assignment.ts';

/** The arm of a sticky key (a user, a session, a task) in an experiment; see {@link assignmentOf}. */
export function assign({ id, share }: { id: string; share: number }, key: string): Assignment {
  return assignmentOf(share, createHash('sha256').update(`${id}\n${key}`).digest());
}

/** Key of a live task in bucket `served`: of the same agent and request id, or draw, the same. */
export function servedKey(agent: string, id: string): string {
  return sha256(`${agent}\n${id}`).slice(0, 32);
}

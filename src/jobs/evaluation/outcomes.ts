import type { EvaluatedTask } from './task.ts';

/** More tasks than this have no outcomes in a record, which must stay small. */
const MAX_OUTCOMES = 100_000;

const [NOT_JUDGED, FAILURE, SUCCESS] = [0, 1, 2];

/**
 * How one flow of each task ended, by task id, in two bits a task and base64: so that two evaluations of the same tasks can be compared
 * pair by pair. Empty when there are more than 100,000 tasks.
 *
 * @param tasks - ordered by id
 */
export function encodeOutcomes(tasks: readonly EvaluatedTask[]): string {
  if (tasks.length > MAX_OUTCOMES) return '';
  const bytes = Buffer.alloc(Math.ceil(tasks.length / 4));
  for (const [i, { flows }] of tasks.entries()) {
    const flow = flows[0];
    const outcome = flow?.valid !== true ? NOT_JUDGED : flow.success ? SUCCESS : FAILURE;
    bytes[i >> 2]! |= outcome! << (2 * (i & 3));
  }
  return bytes.toString('base64');
}

/** What {@link encodeOutcomes} wrote of `tasks` tasks: 1, 0, or undefined where the flow was not judged. Undefined for another number of tasks. */
export function decodeOutcomes(text: string, tasks: number): (0 | 1 | undefined)[] | undefined {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== Math.ceil(tasks / 4)) return undefined;
  return Array.from({ length: tasks }, (_, i) => {
    const outcome = (bytes[i >> 2]! >> (2 * (i & 3))) & 3;
    return outcome === SUCCESS ? 1 : outcome === FAILURE ? 0 : undefined;
  });
}

import type { RequestTask, RolloutRequest } from '../gen/millrace/v1/training_pb.ts';

/** A task of a request, without what travels with every message. */
type TaskOfRequest = Pick<RequestTask, 'taskId' | 'taskJson' | 'seed' | 'sequence'>;

/** What a request is about: its tasks, or the one that it names itself. */
export function tasksOf(request: RolloutRequest): readonly TaskOfRequest[] {
  return request.tasks.length > 0 ? request.tasks : [request];
}

/** Trajectories of each task of a request; with several tasks, `group_size` is a multiple of their number. */
export function flowsPerTask(request: RolloutRequest): number {
  return Math.max(1, Math.floor(request.groupSize / tasksOf(request).length));
}

/** Which of {@link tasksOf} a member of the group runs. */
export function taskIndexOf(request: RolloutRequest, member: number): number {
  return Math.min(tasksOf(request).length - 1, Math.floor(member / flowsPerTask(request)));
}

/** The task that a member of the group runs. */
export function taskOf(request: RolloutRequest, member: number): TaskOfRequest {
  return tasksOf(request)[taskIndexOf(request, member)]!;
}

/** The request as it travels after its flows have run: whoever reads it then has the tasks themselves elsewhere. */
export function withoutTaskTexts(request: RolloutRequest): RolloutRequest {
  return { ...request, taskJson: '', tasks: request.tasks.map((task) => ({ ...task, taskJson: '' })) };
}

import type { Mutation } from './mutation.ts';

/** Mistakes that were in the code until simulation found them, put back. */
export const foundMutations: readonly Mutation[] = [
  {
    name: 'notices-read-once',
    file: 'cluster/jobs/notice-list.ts',
    edits: [
      { find: '  void keepTrying();\n', replace: '' },
      { find: '  const keepTrying = async', replace: '  const _keepTrying = async' },
    ],
    breaks: 'Nothing hangs unseen: a coordinator that could not read the notices once answers no call about a job any more.',
  },
  {
    name: 'pause-fails-the-end',
    file: 'cluster/coordinator/ending.ts',
    edits: [{ find: 'isEnded(newest.state) || !canTransition(newest.state, state)', replace: 'isEnded(newest.state)' }],
    breaks: 'A job that is paused just before its end fails.',
  },
  {
    name: 'held-of-another-attempt',
    file: 'cluster/coordinator/job-actor.ts',
    edits: [
      { find: 'this.#gates.open(() => this.#evaluations.attempt);', replace: 'this.#gates.open(() => this.#job.lease.token);' },
    ],
    breaks: 'Nothing hangs unseen: requests of evaluations that wait for a service are dropped once a stream was lost.',
  },
  {
    name: 'scored-is-sent-again',
    file: 'cluster/coordinator/job-requests.ts',
    edits: [{ find: ' && !scored.has(sequence)', replace: '' }],
    breaks: 'Exact accounting: the rows of a group that was trained on are replaced by those of another run of its request.',
  },
  {
    name: 'end-seen-by-an-old-watch',
    file: 'cluster/coordinator/job-view.ts',
    edits: [
      {
        find: "if (record.state !== 'RUNNING') {",
        replace: "if (record.state !== 'RUNNING' && !this.#followed.has(record.id)) {",
      },
      {
        find: "if (followed && record.state !== 'RUNNING') this.#unfollow(record.id, followed);",
        replace: '',
      },
    ],
    breaks: 'The view of a job that has ended shows the rounds that one watch has seen, and not those of its record.',
  },
  {
    name: 'empty-group-acknowledged',
    file: 'src/store/incoming-rows.ts',
    edits: [{ find: 'if (!request && steps.length + trajectories.length === 0)', replace: 'if (!request && steps.length < 0)' }],
    breaks: 'Exact accounting: bytes that nobody can read are acknowledged as a group without rows.',
  },
];

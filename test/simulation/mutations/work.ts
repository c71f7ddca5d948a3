import type { Mutation } from './mutation.ts';

/** Mistakes in rollout and reward workers, flows and scores. */
export const workMutations: readonly Mutation[] = [
  {
    name: 'request-acked-before-its-group',
    file: 'cluster/rollout/index.ts',
    edits: [
      { find: 'return holds.work(job.id, message,', replace: 'await message.ack();\n        return holds.work(job.id, message,' },
    ],
    breaks: 'Exact accounting: a request is gone when its worker dies.',
  },
  {
    name: 'group-acked-before-its-scores',
    file: 'cluster/reward/index.ts',
    edits: [
      { find: 'return holds.work(job.id, message,', replace: 'await message.ack();\n        return holds.work(job.id, message,' },
    ],
    breaks: 'Exact accounting: a group is gone when its reward worker dies.',
  },
  {
    name: 'ended-request-runs-again',
    file: 'cluster/rollout/index.ts',
    edits: [{ find: 'if (mayHaveEnded && (await groups.haveEnded(request))) return DONE;', replace: 'void mayHaveEnded;' }],
    breaks: 'Exact accounting: the store has other rows of a request than those that were trained on.',
  },
  {
    name: 'refused-message-acked',
    file: 'cluster/runtime/delivery.ts',
    edits: [{ find: 'this.message.term(outcome.reason);', replace: 'await this.message.ack();' }],
    breaks: 'Exact accounting: a message that nobody can read is acknowledged, not given up to the DLQ.',
  },
  {
    name: 'given-up-request-forgotten',
    file: 'cluster/coordinator/lost-requests.ts',
    edits: [
      {
        find: '    await bus.publish(scoredSubject(request.job, kind), toBinary(ScoredGroupSchema, scored), same);\n',
        replace: '    void [scoredSubject, toBinary, scored, kind, same];\n',
      },
    ],
    breaks: 'Exact accounting: a request that was delivered too often ends in no way.',
  },
  {
    name: 'reward-0-on-time-out',
    file: 'src/reward/judge.ts',
    edits: [
      {
        find: 'const late = (): Judgement => failed(`did not answer within ${timeoutMs} ms`);',
        replace: 'const late = (): Judgement => ({ outcome: 0, success: false, components: {} });',
      },
    ],
    breaks: 'An infrastructure failure is never a reward: a reward that does not answer is a 0.',
  },
  {
    name: 'tool-time-out-is-data',
    file: 'src/flow/executor.ts',
    edits: [{ find: "if (tool.onTimeout === 'error') return", replace: "if (tool.onTimeout !== 'fail') return" }],
    breaks: 'An infrastructure failure is never a reward: a flow goes on after a tool that did not answer, and is scored.',
  },
  {
    name: 'tool-crash-is-data',
    file: 'src/flow/executor.ts',
    edits: [
      {
        find: 'if (isToolError(thrown)) return { input, error: thrown.message, ...used(name, thrown.usage) };',
        replace:
          'if (thrown instanceof Error) return { input, error: thrown.message, ...used(name, (thrown as Error & { usage?: Usage }).usage) };',
      },
    ],
    breaks: 'An infrastructure failure is never a reward: a flow goes on after a tool that broke, and is scored.',
  },
  {
    name: 'failed-flow-in-the-baseline',
    file: 'src/reward/score.ts',
    edits: [
      {
        find: "valid: assessments.map((assessment) => 'reward' in assessment),",
        replace: 'valid: assessments.map(() => true),',
      },
    ],
    breaks: 'An infrastructure failure is never a reward: flows that failed count as 0 in the mean of their group.',
  },
  {
    name: 'evaluation-counted-as-training',
    file: 'cluster/reward/publish-scored.ts',
    edits: [
      {
        find: "purpose === Purpose.EVALUATE ? 'evaluate' : 'train'",
        replace: "purpose === Purpose.UNSPECIFIED ? 'evaluate' : 'train'",
      },
    ],
    breaks: 'Nothing hangs unseen: groups of evaluations go to the trainer, and the evaluation never ends.',
  },
  {
    name: 'acts-with-an-old-version',
    file: 'cluster/rollout/policy-versions.ts',
    edits: [
      {
        find: 'return this.#newest && this.newest >= version ? this.#lease(this.#newest) : undefined;',
        replace: 'return this.#newest && this.#lease(this.#newest);',
      },
    ],
    breaks: 'What was served is known: a worker acts with a version older than the one that was asked for.',
  },
  {
    name: 'names-a-version-it-has-not-loaded',
    file: 'cluster/rollout/policies.ts',
    edits: [
      {
        find: 'this.#versions.publish(manifest.version, values,',
        replace: 'this.#versions.publish(this.#announced.version, values,',
      },
    ],
    breaks: 'What was served is known: weights are taken for those of a version that was announced while they were fetched.',
  },
  {
    name: 'average-begins-anew',
    file: 'cluster/parameter-server/round-committer.ts',
    edits: [{ find: 'average: average?.slice() };', replace: 'average: undefined };' }],
    breaks: 'A killed process costs no data: whoever takes over forgets the average of the weights.',
  },
  {
    name: 'weights-not-fetched-again',
    file: 'cluster/rollout/policies.ts',
    edits: [
      {
        find: '      this.#fetching = undefined;\n',
        replace: '      if (!this.#announced || this.#versions.newest === this.#announced.version) this.#fetching = undefined;\n',
      },
    ],
    breaks: 'Nothing hangs unseen: a worker that could not fetch a version once never has another.',
  },
  {
    name: 'failed-work-is-kept',
    file: 'cluster/runtime/worker.ts',
    edits: [{ find: '    message.nak(retryDelayMs(deliveryCount));', replace: '    void [retryDelayMs, deliveryCount];' }],
    breaks: 'Nothing hangs unseen: a message whose work failed stays with its worker, which says that it is still at it.',
  },
  {
    name: 'rewards-of-the-next-member',
    file: 'src/reward/assess.ts',
    edits: [
      {
        find: 'const { answerJson } = trajectory;',
        replace: 'const { answerJson } = group.trajectories[(index + 1) % group.trajectories.length]!;',
      },
    ],
    breaks: 'A score is that of its answer: each trajectory of a group has the reward of the next one.',
  },
];

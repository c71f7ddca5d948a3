import type { Mutation } from './mutation.ts';

/** Mistakes in the trainer, its rounds, the learners, and the versions that they commit. */
export const learningMutations: readonly Mutation[] = [
  {
    name: 'ack-before-commit',
    file: 'cluster/parameter-server/trainer.ts',
    edits: [
      {
        find: '    this.#rounds.arrived({ group, delivery,',
        replace: '    await delivery.settle(DONE);\n    this.#rounds.arrived({ group, delivery,',
      },
    ],
    breaks: 'Exact accounting: a group leaves SCORED before the round that uses it is committed.',
  },
  {
    name: 'duplicate-acked-at-once',
    file: 'cluster/parameter-server/trainer.ts',
    edits: [
      {
        find: '    this.#rounds.arrived({ group, delivery, requestedAt: clock.monotonic() - ageMs });',
        replace: `    const disposition = this.#rounds.arrived({ group, delivery, requestedAt: clock.monotonic() - ageMs });
    if (disposition === 'duplicate') await delivery.settle(DONE);`,
      },
    ],
    breaks: 'Exact accounting: the second delivery of a group that waits for its round acknowledges it.',
  },
  {
    name: 'ack-before-amendment',
    file: 'cluster/parameter-server/trainer.ts',
    edits: [
      {
        find: `      await this.#committer.amend(amendment);
      await this.#ack(this.#rounds.amended());`,
        replace: `      await this.#ack(this.#rounds.amended());
      await this.#committer.amend(amendment);`,
      },
    ],
    breaks: 'Exact accounting: a crash between the two loses a group that failed or expired.',
  },
  {
    name: 'restart-keeps-what-was-not-committed',
    file: 'cluster/parameter-server/trainer.ts',
    edits: [
      {
        find: '    await this.#restore();\n    this.#beginRound();',
        replace: '    if ((this.#rounds as unknown) === undefined) await this.#restore();\n    this.#beginRound();',
      },
    ],
    breaks: 'Resume means resume: after a commit that failed, the update is made a second time.',
  },
  {
    name: 'mean-of-means',
    file: 'cluster/parameter-server/scored.ts',
    edits: [
      {
        find: '    gradient: floatsFromBytes(gradient),\n    weight,',
        replace: '    gradient: floatsFromBytes(gradient).map((value) => value / (weight || 1)),\n    weight: weight && 1,',
      },
    ],
    breaks: 'Same update from any split: the update is the mean over shards of their means.',
  },
  {
    name: 'optimizer-forgotten-at-restart',
    file: 'cluster/parameter-server/master.ts',
    edits: [{ find: 'step: manifest.optimizerSteps };', replace: 'step: 0 };' }],
    breaks: 'Resume means resume: the optimiser of a restarted trainer begins anew.',
  },
  {
    name: 'commit-without-compare-and-set',
    file: 'src/weights/bus-weight-channel.ts',
    edits: [{ find: 'await this.policies.update(job, value, revision)', replace: 'await this.policies.put(job, value)' }],
    breaks: 'One owner at a time: a trainer that has lost its lease overwrites what another one has committed.',
  },
  {
    name: 'manifest-before-its-chunks',
    file: 'src/weights/bus-weight-channel.ts',
    edits: [
      {
        find: 'await this.bus.publish(subject, chunk, { id: `${subject}:${attempt}`, content: subject });',
        replace: 'void this.bus.publish(subject, chunk, { id: `${subject}:${attempt}`, content: subject }).catch(() => {});',
      },
    ],
    breaks: 'Resume means resume: a version is committed whose weights are not stored.',
  },
  {
    name: 'old-weights-dropped-too-early',
    file: 'cluster/parameter-server/round-committer.ts',
    edits: [{ find: 'this.#manifest.version - maxStaleness - 3;', replace: 'this.#manifest.version - maxStaleness;' }],
    breaks: 'What was served is known: with η = 0 the weights go that were just committed, and workers cannot fetch them.',
  },
  {
    name: 'expired-group-trained',
    file: 'src/jobs/round.ts',
    edits: [
      {
        find: 'this.version - group.policyVersion > this.#start.maxStaleness',
        replace: 'this.version - group.policyVersion > this.#start.maxStaleness + 1',
      },
    ],
    breaks: 'Bounded staleness: a group that is one version too old is trained on.',
  },
  {
    name: 'lost-learner-keeps-its-shards',
    file: 'cluster/parameter-server/learner-pool.ts',
    edits: [{ find: '    for (const running of this.#running.values()) running.board.lost(member.name);\n', replace: '' }],
    breaks: 'Nothing hangs unseen: the shard of a learner that is gone is computed by nobody.',
  },
  {
    name: 'answer-of-an-older-round-counted',
    file: 'cluster/parameter-server/learner-pool.ts',
    edits: [
      {
        find: 'return sent && this.#running.get(answer.job) === sent.running ? sent.running : undefined;',
        replace: 'return sent && this.#running.get(answer.job);',
      },
    ],
    breaks: 'Same update from any split: a shard of a round that was given up counts in the round that is computed now.',
  },
  {
    name: 'learner-computes-with-old-weights',
    file: 'cluster/learner/session.ts',
    edits: [
      {
        find: '    state.policy.load(floatsFromBytes(Buffer.concat(state.chunks)));',
        replace: '    if (state.version < 0) state.policy.load(floatsFromBytes(Buffer.concat(state.chunks)));',
      },
    ],
    breaks: 'Same update from any split: a learner that knows the job computes at the weights that it had first.',
  },
];

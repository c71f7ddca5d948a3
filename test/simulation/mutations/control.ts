import type { Mutation } from './mutation.ts';

/** Mistakes in admission, the job's actor, leases, the ledger and what is held. */
export const controlMutations: readonly Mutation[] = [
  {
    name: 'admission-one-version-ahead',
    file: 'src/jobs/admission.ts',
    edits: [
      {
        find: 'state.maxStaleness + state.version + 1, state.rounds',
        replace: 'state.maxStaleness + state.version + 2, state.rounds',
      },
    ],
    breaks: 'Bounded staleness: requests for one more version are admitted.',
  },
  {
    name: 'admission-ignores-failed',
    file: 'src/jobs/admission.ts',
    edits: [
      {
        find: 'const lost = Number(state.ledger.expired) + Number(state.ledger.failed);',
        replace: 'const lost = Number(state.ledger.expired);',
      },
    ],
    breaks: 'Nothing hangs unseen: requests that failed are not replaced, and a round never has its groups.',
  },
  {
    name: 'accepted-taken-as-sent',
    file: 'src/jobs/job-machine.ts',
    edits: [
      { find: '#unsent: readonly number[] | undefined;', replace: '#unsent: readonly number[] | undefined = [];' },
      { find: '    this.#unsent = undefined;', replace: '' },
    ],
    breaks: 'Resume means resume: a job that is taken over goes on at what was accepted, not at what has ended.',
  },
  {
    name: 'places-not-counted',
    file: 'src/jobs/scheduler/plan.ts',
    edits: [{ find: 'let free = places - placed.length;', replace: 'let free = places;' }],
    breaks: 'A cluster runs as many jobs as it has places: those that run take none.',
  },
  {
    name: 'preempts-its-like',
    file: 'src/jobs/scheduler/plan.ts',
    edits: [{ find: 'job.priority < next.priority ||', replace: 'job.priority <= next.priority ||' }],
    breaks: 'A job loses its place to one of its own owner that is no more important.',
  },
  {
    name: 'pause-loses-requests',
    file: 'src/jobs/job-machine.ts',
    edits: [{ find: 'if (!all) return this.requestsLost();', replace: '' }],
    breaks: 'Nothing hangs unseen: requests that a pause kept back are never sent.',
  },
  {
    name: 'accepted-written-behind',
    file: 'cluster/coordinator/job-requests.ts',
    edits: [
      {
        find: 'const tasks = this.#choice.choose(sequences, this.#job.record, manifest);',
        replace:
          'const tasks = this.#choice.choose(sequences, this.#job.record, manifest);\n    await this.#send(sequences, manifest.version, new AbortController().signal);',
      },
    ],
    breaks: 'Exact accounting: a request is sent before the record counts it.',
  },
  {
    name: 'request-sent-again-is-another',
    file: 'src/jobs/requests.ts',
    edits: [{ find: "seedFrom(seed, 'train', sequence)", replace: "seedFrom(seed, 'train', sequence, request.policyVersion)" }],
    breaks: 'Resume means resume: a request that is sent again has other random numbers.',
  },
  {
    name: 'ids-without-round',
    file: 'src/jobs/requests.ts',
    edits: [{ find: 'return `${job}:${round}:${task}:${attempt}`;', replace: 'return `${job}:${task}:${attempt}`;' }],
    breaks: 'Exact accounting: two requests have one id, and the rows of one replace those of the other.',
  },
  {
    name: 'redelivered-group-counts-twice',
    file: 'src/jobs/ledger.ts',
    edits: [{ find: 'return s < ledger.frontier || ledger.endedBeyond.includes(s);', replace: 'return s < ledger.frontier;' }],
    breaks: 'Exact accounting: a group that ended out of order counts again when it is delivered again.',
  },
  {
    name: 'watch-not-opened-again',
    file: 'cluster/coordinator/job-actor.ts',
    edits: [
      { find: 'await weights.watch(\n        id,', replace: 'machine.manifest ? () => {} : await weights.watch(\n        id,' },
    ],
    breaks: 'Nothing hangs unseen: a restarted actor of a job hears of no version any more.',
  },
  {
    name: 'record-without-compare-and-set',
    file: 'cluster/jobs/directory.ts',
    edits: [
      {
        find: 'await this.#kv.update(id, encodeJobRecord(next, found.value), entry.revision)',
        replace: 'await this.#kv.put(id, encodeJobRecord(next, found.value))',
      },
    ],
    breaks: "Exact accounting: of two changes of a job's record at once, one is lost.",
  },
  {
    name: 'lease-kept-past-its-life',
    file: 'src/protocol/lease.ts',
    edits: [
      { find: '        if (askedAt >= confirmedAt + this.ttlMs) return this.end();\n', replace: '' },
      {
        find: "await Promise.race([this.renew(), pause(confirmedAt + this.ttlMs - askedAt).then(() => 'late' as const)]);",
        replace: 'await this.renew();',
      },
    ],
    breaks: 'One owner at a time: a lease that was not renewed for its whole life is still used.',
  },
  {
    name: 'lease-taken-from-its-holder',
    file: 'src/protocol/lease.ts',
    edits: [{ find: 'const token = await bucket.create(key, value);', replace: 'const token = await bucket.put(key, value);' }],
    breaks: 'One owner at a time: a lease is taken although somebody holds it.',
  },
  {
    name: 'duplicate-taken-as-sent',
    file: 'cluster/holds/held-messages.ts',
    edits: [
      {
        find: "import type { Retry } from '../../src/flow/retry-later.ts';",
        replace:
          "import type { Retry } from '../../src/flow/retry-later.ts';\nimport { requestContent } from '../../src/jobs/requests.ts';",
      },
      {
        find: 'await publishWithRoom(bus, subject, message.data, { id: `${id}:held:${number}`, clock, headers });',
        replace: `const request = requestOf(message);
    const same = { id: decodeURIComponent(id), ...(request && { content: requestContent(request) }) };
    await publishWithRoom(bus, subject, message.data, { ...same, clock, headers });`,
      },
    ],
    breaks: 'Nothing hangs unseen: a held request is sent under its first id, dropped as a duplicate, and taken as sent.',
  },
  {
    name: 'held-message-deleted-first',
    file: 'cluster/holds/held-messages.ts',
    edits: [
      { find: '    await bus.deleteMessage(HELD, number);\n    return true;', replace: '    return true;' },
      {
        find: '    // Not under its first id, which',
        replace: '    await bus.deleteMessage(HELD, number);\n    // Not under its first id, which',
      },
    ],
    breaks: 'Exact accounting: a held request is deleted before it is sent on.',
  },
  {
    name: 'measured-on-training-tasks',
    file: 'cluster/coordinator/job-actor.ts',
    edits: [
      {
        find: 'tasks: this.#tasks }',
        replace: 'tasks: { validation: this.#tasks.train.slice(0, 2), test: this.#tasks.train.slice(0, 2) } }',
      },
    ],
    breaks: 'Evaluations measure held-out tasks: those that were trained on are measured.',
  },
  {
    name: 'last-version-not-evaluated',
    file: 'src/jobs/evaluation/plans.ts',
    edits: [{ find: ' || (version >= rounds && (version > 0 || rounds === 0))', replace: '' }],
    breaks: 'A job that succeeds was measured at its end: its last version is not evaluated.',
  },
];

/** States that must be seen over many seeds, with what each means: a long run that never reached one tries too little. */
export const SOMETIMES = {
  'trainer-took-over': 'another parameter server took a job over in the middle of a round',
  'coordinator-took-over': 'another coordinator took a job over',
  'group-expired': 'a group was older than the staleness bound and was replaced',
  'group-failed': 'a group had no valid score and was replaced',
  'group-filtered': 'a group had no signal',
  'duplicate-after-commit': 'a group of a request came after the commit that ended it',
  'request-ran-twice': 'two workers ran the same request',
  'publish-was-duplicate': 'NATS took a message for one that it has',
  'admission-was-held': 'admission waited for the store or for a service',
  'dead-letter': 'a message was given up',
  'shard-was-given-again': 'a shard went to another learner',
  'zombie-was-fenced': 'a process that stood still could not commit any more',
  'paused-and-resumed': 'a job was paused and resumed',
  'job-waited-for-place': 'a job began to run that had waited for the place of another one',
  'job-was-preempted': 'a job lost its place to another one',
  'job-was-cancelled': 'a job was cancelled before its end',
  'evaluation-recorded': 'an evaluation was recorded',
  'checkpoint-torn': 'a machine lost power while a checkpoint was written',
  'checkpoint-survived': 'a checkpoint was whole after a machine lost power',
  'insert-repeated': 'the store was given a batch again',
  'request-given-up': 'a request killed its workers until it was given up, and ended as failed',
  'held-was-returned': 'what waited for a service was returned to where it came from',
  'state-was-lost': 'a stream or a durable was deleted',
  'notice-reported': 'a notice was reported',
} as const;

export type Sometimes = keyof typeof SOMETIMES;

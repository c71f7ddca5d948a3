/** What can go wrong with one message, call or write. */
export const MESSAGE_FAULTS = [
  /** A request to NATS is lost; the client tries again. */
  'request-lost',
  /** A request to NATS is carried out and its answer is lost; the client tries again. */
  'answer-lost',
  /** A call of NATS ends as `unavailable`, and nothing was done. */
  'call-failed',
  /** A call of NATS ends as `unavailable`, and was carried out. */
  'call-failed-but-done',
  /** A call of NATS ends as `unavailable`, and is carried out some time later. */
  'call-failed-done-late',
  /** Something on its way takes seconds instead of milliseconds; what is behind it waits. */
  'slow',
  /** A delivery is lost: the message comes again after its ack wait. */
  'delivery-lost',
  /** A message is delivered again while its handler still has it. */
  'redelivered',
  /** A nak, a term or a plain message is lost. */
  'signal-lost',
  /** A watch misses changes, and catches up later with the newest value of each key. */
  'watch-gap',
  /** A connection between a learner and the parameter server breaks. */
  'link-broken',
  /** A learner takes seconds for a shard. */
  'compute-slow',
  /** A request or group kills the worker that handles it, each time: also when nothing else goes wrong any more. */
  'poison',
  /** An insert takes seconds. */
  'insert-slow',
  /** An insert fails, and nothing was written. */
  'insert-failed',
  /** An insert fails, and the rows were written. */
  'insert-failed-but-done',
  /** The store refuses a batch as too large. */
  'insert-too-large',
  /** A process ends at the very moment of a call. */
  'crash-at-call',
  /** A process ends just after a call was carried out, before it knows. */
  'crash-after-call',
  /** Writing a file fails. */
  'file-failed',
  /** A tool of the flow fails for a reason that is not the policy's. */
  'tool-failed',
  /** A tool never answers. */
  'tool-hangs',
  /** A tool answers late. */
  'tool-late',
  /** A service asks to be called again later. */
  'tool-busy',
  /** A reward fails. */
  'reward-failed',
  /** A reward never answers. */
  'reward-hangs',
] as const;

export type MessageFault = (typeof MESSAGE_FAULTS)[number];

/** What can go wrong for a while, or once, at a time of its own. */
export const TIMED_FAULTS = [
  /** A process is killed; it is started again. */
  'crash',
  /** A process is stopped in order and started again. */
  'restart',
  /** A process stands still and goes on. */
  'pause',
  /** A process stands still, a new one is started in its place, and the old one goes on. */
  'zombie',
  /** A whole machine loses power: what was not synced to disk may be lost. */
  'power-loss',
  /** Two nodes, or a node and NATS, cannot reach each other. */
  'partition',
  /** Somebody publishes what nobody can read. */
  'garbage',
  /** NATS cannot be reached by anybody. */
  'nats-away',
  /** NATS is killed and started again: what was published is there, and of what followed it forgets what it had not written down. */
  'nats-restart',
  /** Another server leads: requests under way are forgotten, what was acknowledged is not. */
  'leader-change',
  /** A stream is full: what is published to it is refused until there is room. */
  'stream-full',
  /** The store cannot be reached. */
  'store-away',
  /** The store's disk is full. */
  'store-full',
  /** The disk of checkpoints is full. */
  'disk-full',
  /** The calendar of a node jumps. */
  'clock-jump',
  /** Somebody deletes a stream, a bucket or a durable with all that is in it. */
  'state-lost',
  /** Changes of a bucket do not reach a node, whose other calls are answered. */
  'watch-stalled',
] as const;

export type TimedFault = (typeof TIMED_FAULTS)[number];

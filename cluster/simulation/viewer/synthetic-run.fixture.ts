import { seededRandom } from '../../../src/random/seeded.ts';
import type { TraceEvent, TraceOfRun } from '../trace.ts';

const WORKERS = ['reward-1', 'rollout-1', 'rollout-2', 'learner-1', 'learner-2'];
const LANES = ['client', 'faults', 'coordinator', 'nats', 'rollout-1', 'rollout-2', 'reward-1', 'store', 'parameter-server'];
/** Every so many groups a node crashes or is cut off. */
const GROUPS_PER_FAULT = 150;
const FAULT_MS = 4000;

/** A made-up run that looks like a training: requests, groups, scores, rounds, crashes, partitions and, at the end, a violation. */
export function syntheticRun(events: number, seed = 4711): TraceOfRun {
  const run = new SyntheticRun(seed);
  run.submit();
  for (let group = 1; run.length < events - 1; group += 1) run.group(group);
  return run.end(events - 1);
}

class SyntheticRun {
  readonly #random;
  readonly #events: TraceEvent[] = [];
  readonly #faults: TraceOfRun['faults'] = [];
  #at = 0;
  /** Fault that holds, and the node it holds for. */
  #fault: { id: string; node: string; kind: 'crash' | 'partition' | 'pause'; untilMs: number } | undefined;

  constructor(readonly seed: number) {
    this.#random = seededRandom(seed);
  }

  get length(): number {
    return this.#events.length;
  }

  submit(): void {
    const created = this.#add('client', 'job', 'creates job-1: 2 rounds of 8 groups');
    this.#add('coordinator', 'job', 'job-1 is accepted', { from: created });
    for (const node of LANES.slice(2).concat('learner-1', 'learner-2')) this.#add(node, 'start', `${node} starts`);
  }

  /** One group, from its request to its round. */
  group(n: number): void {
    this.#heal();
    if (n % GROUPS_PER_FAULT === 0) this.#injectFault(n / GROUPS_PER_FAULT);
    const rollout = `rollout-${(n % 2) + 1}`;
    const trajectories = `group ${n}: 4 trajectories of task-${n % 40}`;
    const requested = this.#send('coordinator', 'publish', `request ${n}: task-${n % 40}, version ${Math.floor(n / 8)}`, rollout);
    if (!this.#pass(requested, rollout, `request ${n}`)) return;
    const rolled = this.#send(rollout, 'publish', trajectories, 'reward-1');
    if (!this.#pass(rolled, 'reward-1', trajectories)) return;
    const scored = this.#send('reward-1', 'publish', `scores of group ${n}: 1.0 0.0 0.5 1.0`, 'parameter-server');
    this.#pass(scored, 'store', `scores of group ${n}`);
    this.#add('store', 'insert', `4 rows into trajectories, token group-${n}`);
    if (!this.#pass(scored, 'parameter-server', `scores of group ${n}`)) return;
    if (n % 8 === 0) this.#round(n / 8);
  }

  end(index: number): TraceOfRun {
    this.#events.length = index;
    const last = this.#events.findLast(({ lane, kind }) => lane === 'parameter-server' && kind === 'ack');
    const reason = `exact accounting: ${last?.text.replace('scores of ', '') ?? 'a group'} is both trained and failed`;
    const from = last?.index;
    this.#add('coordinator', 'violation', reason, from === undefined ? {} : { from });
    return {
      seed: this.seed,
      commit: 'cfe311d74ca4',
      command: `npm run simulate -- --seed ${this.seed} --job retail`,
      outcome: 'failed',
      reason,
      job: 'retail, GRPO, 2 rounds of 8 groups of 4, learners 2',
      faults: this.#faults,
      lanes: [...LANES, 'learner-1', 'learner-2'],
      events: this.#events,
    };
  }

  #round(round: number): void {
    for (const learner of ['learner-1', 'learner-2']) {
      const shard = this.#send('parameter-server', 'link-send', `shard of round ${round}: 16 trajectories`, learner);
      if (!this.#pass(shard, learner, `shard of round ${round}`, 'link-receive')) continue;
      const gradients = this.#send(learner, 'link-send', `gradients of round ${round}`, 'parameter-server');
      this.#pass(gradients, 'parameter-server', `gradients of round ${round}`, 'link-receive');
    }
    this.#add('parameter-server', 'file', `writes checkpoint ${round}`);
    const committed = this.#add('parameter-server', 'commit', `round ${round} is committed, version ${round}`);
    this.#add('nats', 'kv-put', `latest version of job-1 = ${round}`, { from: committed });
    for (const rollout of ['rollout-1', 'rollout-2']) this.#add(rollout, 'kv-change', `version ${round}`, { from: committed });
  }

  #send(from: string, kind: string, text: string, to: string): number {
    const lost = this.#fault !== undefined && [from, to].includes(this.#fault.node);
    return this.#add(from, kind, text, lost ? { lost, fault: this.#fault!.id } : {});
  }

  /** What was sent arrives and is acknowledged; false when it was lost. */
  #pass(sent: number, to: string, text: string, kind = 'deliver'): boolean {
    if (this.#events[sent]!.lost === true) return false;
    this.#at += this.#random.integer(40);
    this.#add(to, kind, text, { from: sent });
    if (kind === 'deliver') {
      const acked = this.#add(to, 'ack', text);
      this.#add('nats', 'ack', `${text} is acknowledged`, { from: acked });
    }
    return true;
  }

  #injectFault(n: number): void {
    const kind = (['crash', 'partition', 'pause'] as const)[n % 3]!;
    const [id, node, untilMs] = [`f${n}`, WORKERS[n % WORKERS.length]!, this.#at + FAULT_MS];
    this.#fault = { id, node, kind, untilMs };
    this.#faults.push({ id, text: `${kind} of ${node}`, at: this.#at, untilMs });
    this.#add('faults', kind, kind === 'partition' ? `${node} is cut off from nats` : `${kind} of ${node}`, { fault: id });
    if (kind !== 'partition') this.#add(node, kind, `${node}: ${kind}`, { fault: id });
  }

  #heal(): void {
    if (this.#fault === undefined || this.#at < this.#fault.untilMs) return;
    const { id, node, kind } = this.#fault;
    this.#fault = undefined;
    if (kind === 'partition') this.#add('faults', 'heal', `${node} reaches nats again`, { fault: id });
    else this.#add(node, kind === 'crash' ? 'start' : 'resume', `${node} is back`, { fault: id });
  }

  #add(lane: string, kind: string, text: string, more: Partial<TraceEvent> = {}): number {
    const index = this.#events.length;
    this.#at += this.#random.integer(25);
    this.#events.push({ index, at: this.#at, lane, kind, text, ...more });
    return index;
  }
}

import { seededRandom } from '../../../src/random/seeded.ts';
import { violationOf, type TraceEvent, type TraceOfRun } from '../trace.ts';

const NODES = ['coordinator', 'rollout-1', 'rollout-2', 'reward-1', 'store', 'parameter-server', 'learner-1', 'learner-2'];
const LANES = ['client', 'faults', 'coordinator', 'nats', ...NODES.slice(1), 'service'];
const STRUCK = ['reward-1', 'rollout-1', 'learner-2', 'rollout-2', 'learner-1'];
/** After so many groups a node crashes, stops for a while or is cut off. */
const GROUPS_PER_FAULT = 30;
const FAULT_MS = 1500;

/** A made-up run that looks like a training: requests, groups, scores, rounds, faults and what they lose; a violation ends it. */
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
    const created = this.#add('client', 'job', 'creates job-1: groups of 4, rounds of 8 groups');
    this.#add('coordinator', 'job', 'job-1 is accepted', { from: created });
    for (const node of NODES) this.#add(node, 'start', `${node} starts`);
  }

  /** One group, from its request to its round. */
  group(n: number): void {
    this.#heal();
    if (n % GROUPS_PER_FAULT === 0) this.#injectFault(n / GROUPS_PER_FAULT);
    const rollout = `rollout-${(n % 2) + 1}`;
    if (!this.#passOn('coordinator', `request ${n}: task-${n % 40}, version ${Math.floor(n / 8)}`, [rollout])) return;
    this.#add('service', 'answer', `${n % 2 === 0 ? 'get_order' : 'cancel_order'} of task-${n % 40}`);
    if (!this.#passOn(rollout, `group ${n}: 4 trajectories of task-${n % 40}`, ['reward-1'])) return;
    if (!this.#passOn('reward-1', `scores of group ${n}: 1.0 0.0 0.5 1.0`, ['store', 'parameter-server'])) return;
    this.#add('store', 'insert', `4 rows into trajectories, token group-${n}`);
    if (n % 8 === 0) this.#round(n / 8);
  }

  end(index: number): TraceOfRun {
    this.#events.length = index;
    const last = this.#events.findLast(({ kind, text }) => kind === 'publish' && text.startsWith('scores'));
    const group = /group \d+/.exec(last?.text ?? '')?.[0] ?? 'a group';
    this.#add('faults', 'violation', `exact accounting: ${group} is counted as trained and as failed`);
    const run: TraceOfRun = {
      ...{ seed: this.seed, commit: 'cfe311d74ca4', command: `npm run simulate -- --seed ${this.seed}`, outcome: 'failed' },
      ...{ job: 'retail, GRPO, groups of 4, rounds of 8 groups, 2 learners', faults: this.#faults, lanes: LANES },
      events: this.#events,
    };
    return { ...run, reason: violationOf(run)!.text };
  }

  #round(round: number): void {
    for (const learner of ['learner-1', 'learner-2']) {
      if (!this.#sendDirectly('parameter-server', learner, `shard of round ${round}: 16 trajectories`)) continue;
      this.#sendDirectly(learner, 'parameter-server', `gradients of round ${round}`);
    }
    this.#add('parameter-server', 'file', `writes checkpoint ${round}`);
    this.#add('parameter-server', 'commit', `round ${round} is committed, version ${round}`);
    const put = this.#add('parameter-server', 'kv-put', `latest version of job-1 is ${round}`);
    const written = this.#add('nats', 'written', `latest version of job-1 is ${round}`, { from: put });
    for (const rollout of ['rollout-1', 'rollout-2']) this.#add(rollout, 'kv-change', `version ${round}`, { from: written });
  }

  /** Over NATS, with what is noted there; false when it did not reach all. */
  #passOn(sender: string, text: string, receivers: readonly string[]): boolean {
    const lostAt = (node: string): Partial<TraceEvent> | undefined =>
      this.#fault?.node === node ? { lost: true, fault: this.#fault.id } : undefined;
    const published = this.#add(sender, 'publish', text, lostAt(sender));
    if (lostAt(sender) !== undefined) return false;
    const stored = this.#add('nats', 'stored', text, { from: published });
    const received = receivers.map((receiver) => {
      const from = this.#add('nats', 'deliver', `${text} to ${receiver}`, { from: stored });
      const lost = lostAt(receiver);
      if (lost !== undefined) this.#add('nats', 'lost', `${text} to ${receiver}`, { from, ...lost });
      return lost === undefined ? this.#add(receiver, 'receive', text, { from }) : undefined;
    });
    for (const [i, receiver] of receivers.entries()) {
      if (received[i] === undefined) continue;
      const from = this.#add(receiver, 'ack', text);
      if (this.#random.integer(40) > 0) this.#add('nats', 'acked', text, { from });
      else this.#add('nats', 'lost', `acknowledgement of ${text}`, { from, lost: true });
    }
    return !received.includes(undefined);
  }

  /** Over a link between two nodes; false when it was lost. */
  #sendDirectly(sender: string, receiver: string, text: string): boolean {
    const cut = [sender, receiver].includes(this.#fault?.node ?? '');
    const from = this.#add(sender, 'link-send', text, cut ? { lost: true, fault: this.#fault!.id } : {});
    if (!cut) this.#add(receiver, 'link-receive', text, { from });
    return !cut;
  }

  #injectFault(n: number): void {
    const kind = (['crash', 'partition', 'pause'] as const)[n % 3]!;
    const [id, node, untilMs] = [`f${n}`, STRUCK[n % STRUCK.length]!, this.#at + FAULT_MS];
    this.#fault = { id, node, kind, untilMs };
    const text = kind === 'partition' ? `${node} is cut off from NATS` : `${kind} of ${node}`;
    this.#faults.push({ id, text, at: this.#at, untilMs });
    this.#add('faults', kind, text, { fault: id });
    if (kind !== 'partition')
      this.#add(node, kind, kind === 'crash' ? `${node} is killed` : `${node} stands still`, { fault: id });
  }

  #heal(): void {
    if (this.#fault === undefined || this.#at < this.#fault.untilMs) return;
    const { id, node, kind } = this.#fault;
    this.#fault = undefined;
    if (kind === 'partition') this.#add('faults', 'heal', `${node} reaches NATS again`, { fault: id });
    else this.#add(node, kind === 'crash' ? 'start' : 'resume', `${node} is back`, { fault: id });
  }

  #add(lane: string, kind: string, text: string, more: Partial<TraceEvent> = {}): number {
    const index = this.#events.length;
    this.#at += this.#random.integer(25);
    this.#events.push({ index, at: this.#at, lane, kind, text, ...more });
    return index;
  }
}

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { Logger } from 'pino';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import {
  WorkResponseSchema,
  type LearnerHello,
  type ShardGroup,
  type ShardWork,
  type ShardResult,
  type WorkRequest,
  type WorkResponse,
} from '../../src/gen/millrace/v1/learner_pb.ts';
import { ShardBoard } from '../../src/jobs/shards.ts';
import { DeficitRoundRobin, type Claim } from '../../src/jobs/scheduler/round-robin.ts';
import type { Link } from '../../src/rpc/link.ts';

/** A learner that says nothing for this long is taken for lost: its shards go to others. */
const SILENCE_MS = 15_000;
const CHECK_MS = 2_000;
/** Shards a learner has at once, of all jobs: one to compute, the next on the way to it. */
const SHARDS_AHEAD = 2;
/** Bytes of weights in one message. */
const WEIGHT_CHUNK = 768 * 1024;

/** What one pass over the groups of a round asks the learners for. */
export interface RoundPass {
  job: string;
  /** PolicySpec and AlgorithmConfig as JSON; sent to a learner once a job. */
  policyJson: string;
  algorithmJson: string;
  round: number;
  work: ShardWork;
  /** Weight of the entropy bonus. */
  entropy: number;
  /** Counts the passes of the round. */
  pass: number;
  /** Version whose weights are used. */
  version: number;
  /** Updates of the round that were made to them; 0 = the version as it was committed. */
  step: number;
  /** float32 little endian. */
  weights: Uint8Array;
  shards: ShardGroup[][];
  /** Called after each shard. */
  onProgress?: (done: number, total: number) => void;
}

/** What is sent to a learner. */
type Answer = MessageInitShape<typeof WorkResponseSchema>['message'];

/** A shard that a learner was sent and has not answered. */
interface Sent {
  running: Running;
  shard: number;
}

interface Member {
  name: string;
  hello: LearnerHello;
  link: Link<WorkRequest, WorkResponse>;
  lastSeen: number;
  setups: Set<string>;
  /** What weights it has of each job. */
  versions: Map<string, string>;
  /** Oldest first; a learner answers in this order. */
  sent: Sent[];
}

interface Running {
  round: RoundPass;
  board: ShardBoard;
  results: Map<number, ShardResult>;
  finish: (error?: MillraceError) => void;
}

/** The learners connected to this parameter server. Any number of them, coming and going at any time. */
export class LearnerPool {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #members = new Map<string, Member>();
  readonly #running = new Map<string, Running>();
  /** Whose shard goes out next. */
  readonly #turns = new DeficitRoundRobin<string>();
  readonly #stopChecks: () => void;
  #connections = 0;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
    this.#stopChecks = clock.every(CHECK_MS, () => this.#dropSilent());
  }

  /** Names of the learners that have said hello. */
  get learners(): string[] {
    return [...this.#members.keys()].sort();
  }

  /** Takes a new connection. */
  connect(link: Link<WorkRequest, WorkResponse>): void {
    this.#connections += 1;
    const connection = this.#connections;
    let member: Member | undefined;
    link.onMessage((request) => {
      const { message } = request;
      if (message.case === 'hello') {
        if (member) throw new MillraceError('failed_precondition', 'a learner says hello once', { field: 'hello' });
        member = this.#join(message.value, link, connection);
        return;
      }
      if (!member) throw new MillraceError('failed_precondition', 'a learner must say hello first', { field: 'hello' });
      member.lastSeen = this.#clock.monotonic();
      if (message.case === 'result') {
        const running = this.#answered(member, message.value);
        if (running) this.#result(running, message.value);
        this.#assign();
      } else if (message.case === 'failure') {
        const running = this.#answered(member, message.value);
        if (running) this.#failure(running, member, message.value);
        this.#assign();
      }
    });
    void link.closed.then(() => member && this.#leave(member));
  }

  /** Answers to all shards, in no particular order. Waits for learners as long as it takes; ends early with `cancelled`. */
  compute(round: RoundPass, signal?: AbortSignal): Promise<ShardResult[]> {
    return new Promise((resolve, reject) => {
      const running: Running = {
        round,
        board: new ShardBoard(round.shards.length),
        results: new Map(),
        finish: (error) => {
          this.#running.delete(round.job);
          signal?.removeEventListener('abort', abort);
          if (error) reject(error);
          else resolve([...running.results.values()]);
        },
      };
      const abort = (): void =>
        running.finish(new MillraceError('cancelled', `round ${round.round} of job ${round.job} was stopped`));
      if (signal?.aborted) {
        abort();
        return;
      }
      signal?.addEventListener('abort', abort, { once: true });
      this.#running.set(round.job, running);
      if (round.shards.length === 0) running.finish();
      else this.#assign();
    });
  }

  /** The job is over: learners may forget it. */
  endJob(job: string): void {
    for (const member of this.#members.values()) {
      if (member.setups.delete(job)) this.#send(member, { case: 'end', value: { job } });
      member.versions.delete(job);
    }
  }

  close(): void {
    this.#stopChecks();
    for (const running of [...this.#running.values()])
      running.finish(new MillraceError('cancelled', 'the parameter server stops'));
    for (const member of this.#members.values()) member.link.close();
    this.#members.clear();
  }

  #join(hello: LearnerHello, link: Link<WorkRequest, WorkResponse>, connection: number): Member {
    const name = this.#members.has(hello.learner) || hello.learner === '' ? `${hello.learner}#${connection}` : hello.learner;
    const lastSeen = this.#clock.monotonic();
    const member: Member = { name, hello, link, lastSeen, setups: new Set(), versions: new Map(), sent: [] };
    this.#members.set(name, member);
    this.#log.info({ learner: name, backend: hello.backend, device: hello.device, gflops: hello.gflops }, 'learner joined');
    this.#assign();
    return member;
  }

  #leave(member: Member): void {
    if (this.#members.get(member.name) !== member) return;
    this.#members.delete(member.name);
    this.#log.warn({ learner: member.name, err: member.link.error }, 'learner left; its shards go to others');
    for (const running of this.#running.values()) running.board.lost(member.name);
    this.#assign();
  }

  #dropSilent(): void {
    const now = this.#clock.monotonic();
    for (const member of [...this.#members.values()]) {
      if (now - member.lastSeen <= SILENCE_MS) continue;
      this.#log.warn({ learner: member.name }, `learner silent for ${SILENCE_MS} ms`);
      member.link.close();
      this.#leave(member);
    }
  }

  /**
   * The computation that an answer belongs to; undefined when nobody waits for it any more. Job, round and shard do not tell: a
   * round that is computed again, after its trainer fell over, may be made of other groups.
   */
  #answered(member: Member, answer: { job: string; round: number; shard: number; pass: number }): Running | undefined {
    const at = member.sent.findIndex(
      ({ running: { round }, shard }) =>
        round.job === answer.job && round.round === answer.round && round.pass === answer.pass && shard === answer.shard,
    );
    const [sent] = at < 0 ? [] : member.sent.splice(at, 1);
    return sent && this.#running.get(answer.job) === sent.running ? sent.running : undefined;
  }

  #result(running: Running, result: ShardResult): void {
    if (!running.board.finish(result.shard)) return;
    running.results.set(result.shard, result);
    running.round.onProgress?.(running.board.done, running.board.shards);
    if (running.board.complete) running.finish();
  }

  #failure(running: Running, member: Member, failure: { job: string; round: number; shard: number; message: string }): void {
    this.#log.warn({ learner: member.name, ...failure }, 'a learner could not compute a shard');
    member.versions.delete(failure.job);
    member.setups.delete(failure.job);
    try {
      running.board.fail(failure.shard, member.name, failure.message);
    } catch (error) {
      running.finish(MillraceError.from(error));
    }
  }

  /** Gives learners that have room the next shards: those of all jobs by turns, so that none waits for the whole round of another. */
  #assign(): void {
    for (let member = leastBusy(this.#members); member; member = leastBusy(this.#members)) {
      const job = this.#turns.next(claimsOf(this.#running));
      if (job === undefined) return;
      const running = this.#running.get(job)!;
      const shard = running.board.give(member.name)!;
      const { round } = running;
      this.#prepare(member, round);
      const { version, work, pass, step, entropy } = round;
      member.sent.push({ running, shard });
      this.#send(member, {
        case: 'shard',
        value: { job, round: round.round, index: shard, version, groups: round.shards[shard]!, work, pass, step, entropy },
      });
    }
  }

  /** Sends what the learner lacks of the job: its set-up, the weights of the version. Messages keep their order. */
  #prepare(member: Member, round: RoundPass): void {
    const { job, version, step, weights } = round;
    if (!member.setups.has(job)) {
      member.setups.add(job);
      this.#send(member, { case: 'setup', value: { job, policyJson: round.policyJson, algorithmJson: round.algorithmJson } });
    }
    const wanted = `${version}+${step}`;
    if (member.versions.get(job) === wanted) return;
    member.versions.set(job, wanted);
    const chunks = Math.max(1, Math.ceil(weights.length / WEIGHT_CHUNK));
    for (let index = 0; index < chunks; index += 1) {
      const data = weights.subarray(index * WEIGHT_CHUNK, (index + 1) * WEIGHT_CHUNK);
      this.#send(member, { case: 'weights', value: { job, version, step, index, chunks, data } });
    }
  }

  #send(member: Member, message: NonNullable<Answer>): void {
    // A send that fails means a closed link, and that is handled by `closed`.
    member.link.send(create(WorkResponseSchema, { message })).catch(() => {});
  }
}

/** The learner with the fewest shards, by name where there are several; undefined when none has room. */
function leastBusy(members: ReadonlyMap<string, Member>): Member | undefined {
  let least: Member | undefined;
  for (const member of members.values()) {
    if (member.sent.length >= SHARDS_AHEAD) continue;
    const fewer = least === undefined || member.sent.length < least.sent.length;
    if (fewer || (member.sent.length === least!.sent.length && member.name < least!.name)) least = member;
  }
  return least;
}

/** Jobs with shards that wait, with what the next one costs: a learner's work grows with the experience in it. */
function claimsOf(all: ReadonlyMap<string, Running>): Claim<string>[] {
  return [...all].flatMap(([key, { round, board }]) => {
    const [next] = board.waiting();
    if (next === undefined) return [];
    const bytes = round.shards[next]!.reduce((sum, { experience }) => sum + (experience?.length ?? 0), 0);
    return [{ key, weight: 1, cost: Math.max(1, bytes) }];
  });
}

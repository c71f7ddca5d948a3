import { eventSubject } from '../../src/protocol/subjects.ts';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { successRate } from '../../src/jobs/success-rate.ts';
import type { EvaluationRecord } from '../../src/jobs/record.ts';
import { encodeRows } from '../../src/records/encode.ts';

/** Characters of a message, and of its data, that are kept: errors of flows and tools have any length. */
const MAX_TEXT = 16_000;

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 1).toWellFormed()}…`;
}

/** Writes a job's history: stream EVENTS, and from there the tables `job_events` and `evaluations`. */
export class JobEvents {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #node: string;
  readonly #job: string;

  constructor(bus: Bus, clock: Clock, node: string, job: string) {
    this.#bus = bus;
    this.#clock = clock;
    this.#node = node;
    this.#job = job;
  }

  /** `key` tells events of a kind apart; the same kind and key is the same event. */
  async publish(kind: string, key: string | number, message: string, data: Record<string, unknown> = {}): Promise<void> {
    const id = `${kind}:${key}`;
    const event = { job: this.#job, id, kind, message: cut(message), data: cut(JSON.stringify(data)) };
    const row = { ...event, node: this.#node, at: this.#micros() };
    // Who noted it and when makes no other event of it.
    const same = { id: `${this.#job}:${id}`, content: `${event.message}\n${event.data}` };
    await this.#bus.publish(eventSubject(this.#job, kind), encodeRows('job_events', [row]), same);
  }

  async evaluated(record: EvaluationRecord): Promise<void> {
    const [low, high] = successRate(record).ci95;
    const row = {
      job: this.#job,
      name: record.name,
      policy_version: record.policyVersion,
      tasks: record.tasks,
      successes: record.successes,
      failed: record.failed,
      mean_reward: record.meanReward,
      mean_steps: record.meanSteps,
      ci_low: low,
      ci_high: high,
      trajectories: record.trajectories,
      train_seconds: record.trainSeconds,
      evaluated_at: this.#micros(),
      metrics: flatMetrics(record.metrics),
    };
    const id = `${this.#job}:evaluation:${record.name}@${record.policyVersion}`;
    await this.#bus.publish(eventSubject(this.#job, 'evaluation'), encodeRows('evaluations', [row]), { id });
  }

  #micros(): number {
    return Math.round(this.#clock.now() * 1000);
  }
}

/** `success`, `success_low` and `success_high`, and so on. */
function flatMetrics(metrics: EvaluationRecord['metrics']): Record<string, number> {
  const flat: Record<string, number> = {};
  for (const [name, { value, low, high }] of Object.entries(metrics)) {
    flat[name] = value;
    if (low !== undefined) flat[`${name}_low`] = low;
    if (high !== undefined) flat[`${name}_high`] = high;
  }
  return flat;
}

import { storeIsBehind, type BacklogMarks } from '../../src/jobs/admission.ts';
import type { StoreBacklog, WriterReport } from '../../src/protocol/progress.ts';
import { MillraceError } from '../../src/errors.ts';
import type { SharedLooks } from './shared-looks.ts';
import type { NodeContext } from '../runtime/context.ts';
import { decodeProgress } from '../../src/protocol/progress.ts';
import { WRITER_SUBJECT } from '../../src/protocol/subjects.ts';

/** A writer that has told nothing for this long is not heard of: it tells once a second. */
const SILENT_MS = 5_000;

/**
 * Holds a job's new requests back while the store is behind. What was accepted goes on; the groups that wait for the store lie in
 * SCORED, so nothing is lost, and their number is bounded by the high mark and what was under way when it was passed.
 */
export class StoreGate {
  readonly #context: NodeContext;
  readonly #job: string;
  readonly #marks: BacklogMarks;
  readonly #looks: SharedLooks;
  readonly #stop: () => void;
  #writer: { report: WriterReport; at: number } | undefined;
  #groups = 0;
  #behind = false;

  constructor(context: NodeContext, job: string, { marks, looks }: { marks: BacklogMarks; looks: SharedLooks }) {
    this.#context = context;
    this.#job = job;
    this.#marks = marks;
    this.#looks = looks;
    this.#stop = context.bus.listen(WRITER_SUBJECT, (data) => {
      this.#writer = { report: decodeProgress<WriterReport>(data), at: context.clock.monotonic() };
    });
  }

  /** How far the store is behind, while that holds requests back. */
  get behind(): StoreBacklog | undefined {
    if (!this.#behind) return undefined;
    const heard = this.#writer !== undefined && this.#context.clock.monotonic() - this.#writer.at < SILENT_MS;
    return { groups: this.#groups, low: this.#marks.low, ...(heard && { writer: this.#writer!.report }) };
  }

  /** Looks how much waits for the store. When the bus does not answer, what was known before still holds. */
  async check(): Promise<void> {
    const { log, metrics } = this.#context;
    try {
      this.#groups = await this.#looks.backlog();
    } catch (error) {
      log.warn({ err: MillraceError.from(error), job: this.#job }, 'the backlog of the store could not be read');
      return;
    }
    const was = this.#behind;
    this.#behind = storeIsBehind(was, this.#groups, this.#marks);
    metrics.set('store_backlog_groups', {}, this.#groups);
    const told = { job: this.#job, groups: this.#groups, ...this.#marks };
    if (this.#behind && !was) log.warn(told, 'the store is behind: no new requests until it has caught up');
    if (!this.#behind && was) log.info(told, 'the store has caught up: requests go on');
  }

  close(): void {
    this.#stop();
  }
}

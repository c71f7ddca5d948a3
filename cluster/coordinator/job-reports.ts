import { isEnded } from '../../src/jobs/state.ts';
import { decodeProgress, type DispatchProgress, type TrainingProgress } from '../../src/protocol/progress.ts';
import { progressSubject, waitingSubject } from '../../src/protocol/subjects.ts';
import type { NodeContext } from '../runtime/context.ts';

/** What was last told of a job. */
export interface JobReport {
  /** By its trainer; read when it is asked for, since it comes dozens of times a second. */
  progress?: (() => TrainingProgress) | undefined;
  /** By its actor. */
  dispatch?: DispatchProgress | undefined;
  /** Clock.monotonic() when something last came for the job, or its record changed. */
  movedAt: number;
}

/** What trainers and job actors tell, heard for all jobs at once and kept for those that have not ended. */
export class JobReports {
  readonly #context: Pick<NodeContext, 'bus' | 'clock' | 'jobs'>;
  readonly #reports = new Map<string, JobReport>();
  readonly #stops: (() => void)[];

  /** @param onChange - called with the job of each report that comes */
  constructor(context: Pick<NodeContext, 'bus' | 'clock' | 'jobs'>, onChange: (job: string) => void) {
    this.#context = context;
    const { bus, jobs } = context;
    this.#stops = [
      bus.listen(progressSubject('*'), (data, subject) => {
        const job = subject.slice(progressSubject('').length);
        this.moved(job);
        this.of(job).progress = () => decodeProgress(data);
        onChange(job);
      }),
      bus.listen(waitingSubject('*'), (data, subject) => {
        const job = subject.slice(waitingSubject('').length);
        const report = this.of(job);
        const { evaluation: before } = report.dispatch ?? {};
        report.dispatch = decodeProgress<DispatchProgress>(data);
        const { evaluation: now } = report.dispatch;
        // It is told every second, whatever happens.
        if (now?.key !== before?.key || now?.done !== before?.done) this.moved(job);
        onChange(job);
      }),
      jobs.onChange(({ record }) => {
        if (isEnded(record.state)) this.#reports.delete(record.id);
        // A pause is not silence.
        else this.moved(record.id);
      }),
    ];
  }

  /** What was last told of a job; what is not known of one that has ended, or is none, is kept nowhere. */
  of(job: string): JobReport {
    const known = this.#reports.get(job);
    if (known) return known;
    const report: JobReport = { movedAt: this.#context.clock.monotonic() };
    const entry = this.#context.jobs.get(job);
    if (entry && !isEnded(entry.record.state)) this.#reports.set(job, report);
    return report;
  }

  /** Something has come for the job. */
  moved(job: string): void {
    this.of(job).movedAt = this.#context.clock.monotonic();
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#reports.clear();
  }
}

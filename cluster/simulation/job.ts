import type { JobConfig } from '../../src/config/job.ts';
import type { JobRuntimes } from '../jobs/runtime.ts';

/** A job to run, with its flow loaded. */
export interface SimulatedJob {
  /** What it is, in a line. */
  name: string;
  config: JobConfig;
  /** Gives the flow that was loaded before: loading a module takes real time. */
  runtimes: JobRuntimes;
  /** Weights at the end of a run without faults; for jobs in which they follow from the configuration alone. */
  reference?: Float32Array;
}

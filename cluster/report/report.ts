import type { Evaluation, Job, Node } from '../../src/gen/millrace/v1/admin_pb.ts';
import { successRate } from '../../src/jobs/evaluation.ts';

/** What one planner reached on the held-out tasks. */
export interface Measured {
  success: number;
  /** 95 % Wilson interval. */
  ci95: [number, number];
}

/** What a process of the cluster used. */
export interface ProcessUse {
  role: string;
  peakRssBytes: number;
  cpuSeconds: number;
}

/** The result of a training run; what `--report` writes. */
export interface TrainingReport {
  job: string;
  state: string;
  /** Success on the held-out tasks by planner; null where it was not measured. `oracle` is the flow's rule planner. */
  heldOut: {
    tasks: number;
    doNothing: number | null;
    random: number | null;
    untrained: number | null;
    oracle: number | null;
    trained: Measured | null;
  };
  /** Trajectories trained on or filtered. */
  trajectories: number;
  /** Seconds from the first training request to the last commit, pauses left out. */
  trainSeconds: number;
  /** Seconds of the whole command: start, baselines, training, evaluations, report. */
  totalSeconds: number;
  trajectoriesPerSecond: number;
  /** Held-out success of the trained planner along the way. */
  curve: { trajectories: number; seconds: number; success: number }[];
  accounting: { requests: number; trained: number; filtered: number; expired: number; failed: number };
  processes: ProcessUse[];
  /** Folder of the newest checkpoint. */
  checkpoint: string;
}

/** What {@link buildReport} puts together. */
export interface ReportInput {
  job: Job;
  state: string;
  processes: ProcessUse[];
  totalSeconds: number;
}

/** The report of a job that has ended. */
export function buildReport({ job, state, processes, totalSeconds }: ReportInput): TrainingReport {
  const { evaluations, progress } = job;
  const named = (name: string): Evaluation | undefined => evaluations.find((evaluation) => evaluation.name === name);
  const rate = (name: string): number | null => {
    const found = named(name);
    return found ? successRate(found).success : null;
  };
  const trained = evaluations
    .filter((evaluation) => evaluation.name === 'trained')
    .sort((a, b) => a.policyVersion - b.policyVersion);
  const last = trained.at(-1);
  const first = named('untrained');
  const ledger = progress?.ledger;
  const trajectories = Number(ledger?.trajectories ?? 0n);
  const trainSeconds = progress?.trainSeconds ?? 0;
  return {
    job: job.id,
    state,
    heldOut: {
      tasks: (last ?? first)?.tasks ?? 0,
      doNothing: rate('do-nothing'),
      random: rate('random'),
      untrained: rate('untrained'),
      oracle: rate('rule'),
      trained: last ? successRate(last) : null,
    },
    trajectories,
    trainSeconds,
    totalSeconds,
    trajectoriesPerSecond: trainSeconds > 0 ? trajectories / trainSeconds : 0,
    curve: [...(first ? [first] : []), ...trained].map((evaluation) => ({
      trajectories: Number(evaluation.trajectories),
      seconds: evaluation.trainSeconds,
      success: successRate(evaluation).success,
    })),
    accounting: {
      requests: Number(progress?.requests ?? 0n),
      trained: Number(ledger?.trained ?? 0n),
      filtered: Number(ledger?.filtered ?? 0n),
      expired: Number(ledger?.expired ?? 0n),
      failed: Number(ledger?.failed ?? 0n),
    },
    processes,
    checkpoint: job.checkpoint,
  };
}

/** Peak memory and processor time of the nodes. */
export function processUse(nodes: readonly Node[]): ProcessUse[] {
  return nodes.map((node) => ({
    role: node.roles.join('+'),
    peakRssBytes: Number(node.peakRssBytes),
    cpuSeconds: node.cpuSeconds,
  }));
}

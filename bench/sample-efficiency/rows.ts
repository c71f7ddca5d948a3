/** One configuration of examples/retail. */
export interface EfficiencyRow {
  label: string;
  overrides: readonly string[];
}

const SMALL = ['rollout.groupSize=8', 'rollout.groupsPerRound=4', 'algorithm.entropy=0.1'];
const REPEATED = [...SMALL, 'algorithm.epochs=2', 'algorithm.miniBatches=2'];

/** Configurations that add one thing after the other; overrides of the job file. */
export const EFFICIENCY_ROWS: readonly EfficiencyRow[] = [
  {
    label: '8 groups of 16, one update',
    overrides: ['rollout.groupSize=16', 'rollout.groupsPerRound=8', 'algorithm.entropy=0.06'],
  },
  { label: '4 groups of 8', overrides: SMALL },
  { label: '+ 2 epochs of 2 mini-batches', overrides: REPEATED },
  { label: '+ curriculum', overrides: [...REPEATED, 'curriculum.enabled=true'] },
];

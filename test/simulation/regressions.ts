/** A seed that once broke a promise. */
export interface Regression {
  seed: number;
  /** The invariant that broke, and what was wrong. */
  broke: string;
}

/**
 * Seeds that once broke a promise; test/simulation.test.ts runs them. What a seed does changes with the simulator, so a bug that was
 * found here also gets a test of its own.
 */
export const REGRESSIONS: readonly Regression[] = [
  { seed: 332, broke: 'liveness: bytes in HELD that are no held message kept all behind them from being returned' },
  { seed: 300425, broke: 'nothing-is-left: a coordinator without the lease made the durable of evaluations again' },
  { seed: 300767, broke: 'liveness: leases were lost, and two coordinators took answers from each other' },
  { seed: 401774, broke: 'needed-weights-are-there: a worker that had stood still took weights that nobody keeps for damaged' },
  { seed: 401790, broke: 'nothing-is-left: a coordinator without the lease made the durable of evaluations again' },
  { seed: 122, broke: 'liveness: leases were lost, and two coordinators took answers from each other' },
  {
    seed: 901958,
    broke: 'liveness: a coordinator that had lost the job began its evaluations again, and its results came for ever',
  },
  { seed: 950931, broke: 'liveness: a job that had waited for its place for a minute did not go on when it had one' },
  {
    seed: 971802,
    broke: 'liveness: requests were sent before the record said into which streams, so that nobody noticed that SCORED was lost',
  },
];

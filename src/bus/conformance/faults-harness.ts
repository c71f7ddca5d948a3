import type { BusHarness, TestConnection } from './harness.ts';

/** A connection over a wire on which a test makes things go wrong. */
export interface FaultyConnection extends TestConnection {
  /** Lets through again what was cut. */
  readonly heal: () => void;
  /** The next that the server says over it is lost, so often. What the bus says is carried out. */
  readonly loseAnswers: (times: number) => void;
  /** The next call is carried out only after its caller has given up. */
  readonly carryOutLate: () => void;
  /** From now on everything takes so long, either way, in ms. */
  readonly delay: (ms: number) => void;
}

/** What the fault suites need of a bus. */
export interface FaultHarness extends Pick<BusHarness, 'clock' | 'run' | 'stop'> {
  /** How long a call waits for an answer before it ends as `unavailable`, in ms. */
  callTimeoutMs: number;
  /** A new connection to the same server; the topology exists. Closed by `stop`. */
  connect(): Promise<FaultyConnection>;
  /** Kills the server as with `kill -9`, and starts it again on the same files. Resolves when it answers. */
  restartServer(): Promise<void>;
}

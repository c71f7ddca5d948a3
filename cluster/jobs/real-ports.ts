import { systemClock } from '../../src/clock/system.ts';
import type { RuntimePorts } from './runtime.ts';

/** For programs that load a job without a node, in real time. */
export const REAL_PORTS: RuntimePorts = { clock: systemClock, outside: (work) => work };

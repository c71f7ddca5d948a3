import { Termination } from '../gen/millrace/v1/flow_pb.ts';
import type { FlowDefinition, Outcome } from './define.ts';
import { flowCrash, inFlow } from './failure.ts';

/** What the verifier said. */
export interface Verified {
  continues: boolean;
  /** The step was confirmed. */
  verified: boolean;
  /** How the flow ends, where it does. */
  ends: Termination.DONE | Termination.TOKEN_LIMIT;
}

const CONTINUES: Verified = { continues: true, verified: false, ends: Termination.DONE };
const STOPS: Verified = { continues: false, verified: false, ends: Termination.DONE };

/** Takes the outcome into memory; says whether the flow is to go on, and whether the step was confirmed. */
export function verify<M>(flow: Pick<FlowDefinition<any, M>, 'verify'>, memory: M, outcome: Outcome): Verified {
  const verdict: unknown = inFlow('verify', () => flow.verify(memory, outcome));
  if (verdict === 'continue') return CONTINUES;
  if (verdict === 'stop') return STOPS;
  if (typeof verdict !== 'object' || verdict === null || !('next' in verdict))
    throw flowCrash('verify', `must return 'continue', 'stop' or { next, verified }, got ${show(verdict)}`);
  const { next, verified = false, reason } = verdict as { next: unknown; verified?: unknown; reason?: unknown };
  if (next !== 'continue' && next !== 'stop') throw flowCrash('verify', `next must be 'continue' or 'stop', got ${show(next)}`);
  if (typeof verified !== 'boolean') throw flowCrash('verify', `verified must be true or false, got ${show(verified)}`);
  if (reason !== undefined && reason !== 'token_limit')
    throw flowCrash('verify', `reason must be 'token_limit' or absent, got ${show(reason)}`);
  return { continues: next === 'continue', verified, ends: reason === undefined ? Termination.DONE : Termination.TOKEN_LIMIT };
}

/** The flow's potential of this memory; a FLOW_CRASH when it is none. Potentials travel as 32-bit floats. */
export function potentialOf<M>(flow: Pick<FlowDefinition<any, M>, 'potential'>, memory: M): number {
  const potential: unknown = inFlow('potential', () => flow.potential?.(memory));
  if (typeof potential !== 'number' || !Number.isFinite(Math.fround(potential)))
    throw flowCrash('potential', `must be a finite number, got ${show(potential)}`);
  return potential;
}

function show(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

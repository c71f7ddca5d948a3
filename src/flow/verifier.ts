import type { FlowDefinition, Outcome } from './define.ts';
import { flowCrash, inFlow } from './failure.ts';

/** Takes the outcome into memory; true when the flow is to go on. */
export function verify<M>(flow: Pick<FlowDefinition<any, M>, 'verify'>, memory: M, outcome: Outcome): boolean {
  const verdict: unknown = inFlow('verify', () => flow.verify(memory, outcome));
  if (verdict !== 'continue' && verdict !== 'stop')
    throw flowCrash('verify', `must return 'continue' or 'stop', got ${String(verdict)}`);
  return verdict === 'continue';
}

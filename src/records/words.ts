import { Agent, Purpose, Verdict } from '../gen/millrace/v1/training_pb.ts';
import { FailureClass, Termination } from '../gen/millrace/v1/flow_pb.ts';
import type { RowPurpose } from './tables.ts';

/** The words the tables hold for the enums of the wire: lower-case, without the enum's name; empty for UNSPECIFIED. */
const word = (names: Readonly<Record<number, string>>, value: number): string =>
  value === 0 ? '' : (names[value] ?? `unknown_${value}`).toLowerCase();

/** `train`, `evaluate` or `serve`. */
export const purposeWord = (purpose: Purpose): RowPurpose =>
  purpose === Purpose.EVALUATE ? 'evaluate' : purpose === Purpose.SERVE ? 'serve' : 'train';
/** `policy`, `random`, `rule` or `nothing`. */
export const agentWord = (agent: Agent): string => word(Agent, agent);
/** `done`, `step_limit`, `no_action`, `token_limit`; empty for a failed trajectory. */
export const terminationWord = (termination: Termination): string => word(Termination, termination);
/** `tool_timeout`, `tool_crash`, `flow_crash` ...; empty for a valid trajectory. */
export const failureWord = (failure: FailureClass): string => word(FailureClass, failure);
/** `signal`, `no_signal` or `failed`. */
export const verdictWord = (verdict: Verdict): string => word(Verdict, verdict);

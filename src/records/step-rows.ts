import type { RolloutRequest } from '../gen/millrace/v1/training_pb.ts';
import { taskOf } from './request-tasks.ts';
import { boundedJson } from './bounded-json.ts';
import { encodeRows } from './encode.ts';
import { packRows } from './pack.ts';
import { withinBudget } from './row-budget.ts';
import type { Message } from '../base-model/chat/conversation.ts';
import type { Decision } from '../policy/decision.ts';
import type { StepRow } from './tables.ts';
import { purposeWord } from './words.ts';

/** One decision of a run and the tool call that followed: what a row of it holds. */
interface RecordedStep {
  decision: Decision;
  /** What was wrong with it. */
  mistake?: string | undefined;
  /** Tokens that the policy read; of generated decisions. */
  prompt?: readonly number[] | undefined;
  tool: string;
  items: readonly number[];
  /** As JSON text. */
  arguments: string;
  result: string;
  error: boolean;
  logProbability: number;
  entropy: number;
  openActions: number;
  planUs: number;
  toolUs: number;
  /** Unix time in microseconds. */
  startedAt: number;
  stateFlags?: readonly number[] | undefined;
  /** As JSON text, of the first step; else empty. */
  stateBefore: string;
  /** As JSON text; empty where the step did not change it. */
  stateAfter: string;
  /** The verifier confirmed it. */
  verified: boolean;
  /** The calls of its text after the first. */
  further?: readonly { tool: string; arguments: string; result: string; error: boolean; mistake: string | undefined }[];
  /** What was new in the conversation that the policy read, where there is one. */
  messages?: readonly Message[] | undefined;
  /** The most likely of the other open actions. */
  others?: { readonly actions: readonly string[]; readonly probabilities: readonly number[] } | undefined;
}

/** A member of a group with the id its trajectory has. */
interface RecordedMember {
  id: string;
  policyVersion: number;
  run: { steps: readonly RecordedStep[] };
}

/** Rows of more bytes are packed. Others are not: the reward worker, which they go to first, would only have to unpack them. */
const PACKED_FROM = 200_000;

/**
 * Rows of table `steps` for every step of every member, but for what whoever scores them adds (`scoreStepRows`); failed members' too:
 * what happened until then is worth seeing. Texts are cut where they would fill a message; tokens never are, since what the policy saw
 * and wrote must stay known.
 */
export function encodeStepRows(request: RolloutRequest, members: readonly RecordedMember[]): Uint8Array {
  const { job, id: request_id, evaluation } = request;
  const purpose = purposeWord(request.purpose);
  const written = members.map(({ run }) => generations(run.steps));
  const encode = (cut: (text: string) => string, limit: number): Uint8Array => {
    const rows: StepRow[] = [];
    for (const [member, { id: trajectory_id, policyVersion: policy_version, run }] of members.entries()) {
      const { taskId: task_id } = taskOf(request, member);
      for (const [step, record] of run.steps.entries()) {
        const row: StepRow = {
          job,
          trajectory_id,
          request_id,
          task_id,
          purpose,
          evaluation,
          policy_version,
          step,
          tool: record.tool,
          items: record.items,
          arguments: cut(record.arguments),
          result: cut(record.result),
          error: record.error,
          log_probability: record.logProbability,
          entropy: record.entropy,
          open_actions: record.openActions,
          plan_us: record.planUs,
          tool_us: record.toolUs,
          started_at: record.startedAt,
          state_before: shortened(record.stateBefore, limit),
          state_after: shortened(record.stateAfter, limit),
          verified: record.verified,
        };
        const { others } = record;
        if (others !== undefined && limit > 0) {
          row.other_actions = others.actions;
          row.other_probabilities = others.probabilities;
        }
        if (record.stateFlags !== undefined) row.state_flags = Float32Array.from(record.stateFlags);
        const generation = written[member]![step];
        if (generation !== undefined) Object.assign(row, generation, { text: cut(generation.text) }, conversationOf(record, cut));
        rows.push(row);
      }
    }
    return encodeRows('steps', rows);
  };
  const rows = withinBudget(encode, tokenBytes(written.flat()));
  return rows.length < PACKED_FROM ? rows : packRows(rows);
}

/** A state in about as many bytes; it stays JSON. */
function shortened(state: string, limit: number): string {
  if (state.length <= limit) return state;
  return limit === 0 ? '' : boundedJson(JSON.parse(state), limit);
}

/** What a row holds of a conversation. */
function conversationOf(
  { messages, further = [] }: RecordedStep,
  cut: (text: string) => string,
): Pick<StepRow, 'messages' | 'further_calls'> {
  const shown = messages?.map((message) => {
    const { role, content } = message;
    if (role === 'tool') return { role, tool: message.tool, content: cut(content) };
    return { role, content: cut(role === 'assistant' ? (message.text ?? content) : content) };
  });
  const calls = further.map((call) => ({ ...call, arguments: cut(call.arguments), result: cut(call.result) }));
  return {
    messages: shown === undefined ? '' : JSON.stringify(shown),
    further_calls: calls.map((call) => JSON.stringify({ ...call, mistake: call.mistake ?? '' })),
  };
}

/** Rounded to six digits. */
const rounded = (log: number): number => Number(log.toPrecision(6));

type Generated = Required<
  Pick<StepRow, 'decision' | 'mistake' | 'text' | 'tokens_in' | 'tokens_out' | 'prompt' | 'tokens' | 'token_log_probabilities'>
>;

/** What the rows of a trajectory's generated decisions hold beside the rest; undefined for choices. */
function generations(steps: readonly RecordedStep[]): (Generated | undefined)[] {
  let said: readonly number[] = [];
  return steps.map(({ decision, mistake = '', prompt = [] }) => {
    if (decision.kind === 'choice') return undefined;
    const { text, tokens } = decision;
    const token_log_probabilities = decision.logProbabilities.map(rounded);
    const goesOn = said.length <= prompt.length && said.every((token, i) => token === prompt[i]);
    const fresh = goesOn ? prompt.slice(said.length) : prompt;
    said = [...prompt, ...tokens];
    const counts = { tokens_in: prompt.length, tokens_out: tokens.length };
    return { decision: 'generated', mistake, text, ...counts, prompt: fresh, tokens, token_log_probabilities };
  });
}

/** Bytes of the token ids and log-probabilities as JSON. */
function tokenBytes(written: readonly (Generated | undefined)[]): number {
  const bytes = (values: readonly number[]): number => values.reduce((sum, value) => sum + String(value).length + 1, 0);
  return written.reduce(
    (sum, row) => (row === undefined ? sum : sum + bytes(row.prompt) + bytes(row.tokens) + bytes(row.token_log_probabilities)),
    0,
  );
}

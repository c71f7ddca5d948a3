import { isDeepStrictEqual } from 'node:util';
import { MillraceError } from '../../errors.ts';
import { readTasks } from '../read.ts';
import { ToolError, type FlowDefinition, type Loaded } from '../../flow/define.ts';
import { defineAgent } from '../../flow/agent/define.ts';
import type { AgentMemory, AgentTool, AgentTurn } from '../../flow/agent/definition.ts';
import type { Demonstration, ShownCall, ShownTurn } from './line.ts';
import { demonstrationSchema } from './schema.ts';

/** Options of {@link defineDemonstrations}. */
export interface DemonstrationsOptions {
  /** Name of the flow. Default: that of the agent with `-demonstrations`. */
  name?: string;
}

/** Where a conversation is. */
interface Replay {
  turns: readonly ShownTurn[];
  /** Turns that were said as they are shown. */
  said: number;
  /** Calls of the present turn that have not been made. */
  open: ShownCall[];
}

/**
 * Conversations that an agent's policy is to imitate, as a flow: the `data` of its job is a file with a conversation a line, as OpenAI's
 * fine-tuning takes them. Its rule says what the conversations say, and its tools answer what they say that they answered: nothing is
 * run. The reward is the share of turns that were said as they are shown, up to the first that was not; 1 is a success.
 *
 * A policy that was trained on it (`algorithm.name: sft`) fits the agent: its job can go on from that one's checkpoint.
 *
 * @param agent - what `defineAgent` returned; its tools are those that the conversations call
 */
export function defineDemonstrations(
  agent: FlowDefinition<any, any>,
  { name }: DemonstrationsOptions = {},
): FlowDefinition<Demonstration, AgentMemory<Replay>> {
  if (agent?.calls !== 'any')
    throw new MillraceError('invalid_argument', 'demonstrations are of an agent: give what defineAgent returned', {
      field: 'agent',
    });
  const { tools } = agent;
  return defineAgent<Demonstration, Replay>({
    name: name ?? `${agent.name}-demonstrations`,
    task: demonstrationSchema(tools),
    splitKey: ({ task }) => task,
    load: ({ data }) => load(data),
    instructions: '',
    messages: ({ before }) => before,
    tools: Object.entries(tools).map(([called, { description, input }]): AgentTool<Replay> => ({
      ...{ name: called, description, input },
      run: (args, replay) =>
        answer(replay, (call) => call.tool === called && isDeepStrictEqual(input.parse(call.arguments), args)),
    })),
    memory: ({ turns }) => ({ turns, said: 0, open: [...turns[0]!.calls] }),
    rule({ turns, said }) {
      const { content, calls } = turns[said]!;
      return { content, calls: calls.map(({ tool, arguments: args }) => ({ tool, arguments: args })) };
    },
    verify: goOn,
    answer: ({ turns, said }) => said / turns.length,
    reward: (_, share) => share as number,
    maxTurns: ({ turns }) => turns.length,
  });
}

/** What the call is shown to have answered. Throws a ToolError where no such call is shown. */
function answer(replay: Replay, isIt: (call: ShownCall) => boolean): string {
  const place = replay.open.findIndex(isIt);
  if (place < 0) throw new ToolError('the conversation has no such call here');
  return replay.open.splice(place, 1)[0]!.result;
}

/** Goes on as long as what was said is what is shown. */
function goOn(replay: Replay, { content, calls }: AgentTurn): 'continue' | 'stop' | { next: 'continue'; message: string } {
  const shown = replay.turns[replay.said]!;
  const isSame = content.trim() === shown.content.trim() && calls.length === shown.calls.length && replay.open.length === 0;
  if (!isSame) return 'stop';
  replay.said += 1;
  const next = replay.turns[replay.said];
  if (next === undefined) return 'stop';
  replay.open = [...next.calls];
  return shown.next === undefined ? 'continue' : { next: 'continue', message: shown.next };
}

/** Lines without an id are named by their place. */
async function load(data: string | undefined): Promise<Loaded<Demonstration>> {
  if (data === undefined)
    throw new MillraceError(
      'invalid_argument',
      'data: name the file of conversations, a .jsonl with {"messages": [...]} in each line (docs/agents.md)',
      { field: 'data' },
    );
  const { tasks, ...rest } = await readTasks<Demonstration>(data);
  return {
    ...rest,
    tasks: tasks.map((task, i) =>
      typeof task === 'object' && task !== null && !Array.isArray(task) ? { ...{ id: `conversation-${i + 1}` }, ...task } : task,
    ),
  };
}

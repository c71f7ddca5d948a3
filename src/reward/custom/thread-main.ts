/** What runs in a reward thread: one module's function, asked by messages. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../clock/system.ts';
import { MillraceError } from '../../errors.ts';
import type { FlowDefinition, Json } from '../../flow/define.ts';
import { describe } from '../../flow/failure.ts';
import { importDefault, loadFlow } from '../../flow/load.ts';
import { isRetryLater, retryOf } from '../../flow/retry-later.ts';
import { parseTask } from '../../flow/check-task.ts';
import { loadContext } from '../../tasks/load.ts';
import type { FromThread, RewardCall, RewardFunction, ThreadData, ToThread } from './protocol.ts';

const port = parentPort!;
const tell = (message: FromThread): void => port.postMessage(message);

type Done = Extract<FromThread, { kind: 'done' }>;

interface Loaded {
  reward: RewardFunction;
  flow?: FlowDefinition<unknown, unknown>;
  context?: unknown;
}

async function load({ module, source, bundled }: ThreadData): Promise<Loaded> {
  const example = 'export default function reward({ task, answer, steps, outcome }) { … }';
  const reward = await importDefault(module, { what: 'reward module', field: 'module', example }, bundled?.module);
  if (typeof reward !== 'function')
    throw new MillraceError('invalid_argument', `${module}: the default export is no function; write \`${example}\``);
  if (source === undefined) return { reward: reward as RewardFunction };
  const flow = await loadFlow(source.flow, bundled?.flow);
  const context = await loadContext(flow, { data: source.data, options: source.options, seed: source.seed, clock: systemClock });
  return { reward: reward as RewardFunction, flow, context };
}

async function answer({ reward, flow, context }: Loaded, call: RewardCall): Promise<Omit<Done, 'kind' | 'id'>> {
  try {
    const task = parseTask(flow!, call.taskJson);
    if ('problem' in task) return { problem: task.problem };
    const { steps, outcome } = call;
    const value: unknown = await reward({
      task: task.task,
      answer: JSON.parse(call.answerJson) as Json,
      context,
      steps,
      outcome,
    });
    if (typeof value === 'number') return { value };
    return { problem: `must return a finite number, got ${value === null ? 'null' : typeof value}` };
  } catch (thrown) {
    if (isRetryLater(thrown)) {
      const { afterMs, reason } = retryOf(thrown, 'reward');
      return { later: { afterMs, reason } };
    }
    return { problem: describe(thrown) };
  }
}

try {
  const loaded = await load(workerData as ThreadData);
  port.on('message', (message: ToThread) => {
    if (message.kind === 'ping') {
      tell({ kind: 'pong' });
      return;
    }
    const { id } = message;
    tell({ kind: 'started', id });
    void answer(loaded, message).then((result) => tell({ kind: 'done', id, ...result }));
  });
  tell({ kind: 'ready' });
} catch (thrown) {
  const { code, message } = MillraceError.from(thrown);
  tell({ kind: 'unusable', code: code === 'not_found' ? 'not_found' : 'invalid_argument', message });
}

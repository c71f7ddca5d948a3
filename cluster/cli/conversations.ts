import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { tagged } from '../../src/base-model/chat/syntax.ts';
import { fileLines } from './file-lines.ts';

/** Why trajectories have no conversation that somebody could imitate. */
const REASONS = {
  planner: 'their policy chose among actions',
  mistake: 'they hold calls that were not made',
  cut: 'the store has cut their texts',
  examples: 'their first messages hold some of the assistant',
} as const;

/** What a conversation needs of a line of an export. */
const exported = z.object({
  task_id: z.string(),
  metadata: z.object({
    trajectory_id: z.string(),
    steps: z.array(
      z.object({
        ...{ tool: z.string(), arguments: z.string(), result: z.string(), error: z.boolean() },
        ...{ decision: z.string(), mistake: z.string(), text: z.string(), messages: z.string() },
        further_calls: z.array(z.string()),
      }),
    ),
  }),
});
type Step = z.infer<typeof exported>['metadata']['steps'][number];
type Call = Pick<Step, 'tool' | 'arguments' | 'result' | 'error' | 'mistake'>;

/** A line of an export as a conversation, as `defineDemonstrations` reads it, or why there is none. */
function conversationLine(line: string): { id: string; task: string; messages: unknown[] } | keyof typeof REASONS {
  const { task_id: task, metadata } = exported.parse(JSON.parse(line));
  const messages: unknown[] = [];
  let ids: string[] = [];
  const { steps } = metadata;
  if (steps.length === 0) return 'planner';
  for (const [at, step] of steps.entries()) {
    if (step.messages === '') return 'planner';
    const calls = callsOf(step);
    if (step.mistake !== '' || calls.some(({ mistake }) => mistake !== '')) return 'mistake';
    for (const message of JSON.parse(step.messages) as { role: string; content: string }[]) {
      if (message.role === 'assistant') return 'examples';
      if (isCut(message.content)) return 'cut';
      messages.push(
        message.role === 'tool' ? result(ids.shift(), message.content) : { role: message.role, content: message.content },
      );
    }
    ids = calls.map((_, i) => `call_${at}_${i}`);
    if ([step.text, ...calls.flatMap((call) => [call.arguments, call.result])].some(isCut)) return 'cut';
    messages.push({
      ...{ role: 'assistant', content: contentOf(step.text, calls.length > 0) },
      ...(calls.length > 0 && {
        tool_calls: calls.map((call, i) => ({
          ...{ id: ids[i], type: 'function' },
          function: { name: call.tool, arguments: call.arguments },
        })),
      }),
    });
    // In the others the next step has read them.
    if (at === steps.length - 1)
      calls.forEach((call, i) => messages.push(result(ids[i], call.error ? `Error: ${call.result}` : call.result)));
  }
  return { id: metadata.trajectory_id, task, messages };
}

/** What became of the lines of an export. */
export interface Conversations {
  /** Lines that were written. */
  written: number;
  /** In words, what was left out and why; empty where nothing was. */
  leftOut: string[];
}

/** Writes the conversations of an export from `from` to `to`, one a line; the same one of the same task only once. */
export async function writeConversations(from: string, to: string): Promise<Conversations> {
  const seen = new Set<string>();
  const without = new Map<keyof typeof REASONS, number>();
  let repeated = 0;
  const lines = async function* (): AsyncGenerator<string> {
    for await (const { text } of fileLines(from)) {
      const made = conversationLine(text);
      if (typeof made === 'string') {
        without.set(made, (without.get(made) ?? 0) + 1);
        continue;
      }
      const key = JSON.stringify([made.task, made.messages]);
      if (seen.has(key)) repeated += 1;
      else yield `${JSON.stringify(made)}\n`;
      seen.add(key);
    }
  };
  await pipeline(Readable.from(lines()), createWriteStream(to));
  return {
    written: seen.size,
    leftOut: [
      ...[...without].map(([reason, count]) => `${count} without a conversation to imitate: ${REASONS[reason]}`),
      ...(repeated > 0 ? [`${repeated} that say the same as another one of their task`] : []),
    ],
  };
}

/** All calls of a step; none where it is an answer. */
function callsOf(step: Step): Call[] {
  if (step.tool === '') return [];
  return [step, ...step.further_calls.map((call) => JSON.parse(call) as Call)];
}

/** What a text says beside its calls. Where a model writes calls alone, nothing. */
function contentOf(text: string, calls: boolean): string {
  if (!calls) return text.trim();
  return text.includes('<tool_call>') ? tagged.read(text).content : '';
}

const result = (id: string | undefined, content: string): unknown => ({ role: 'tool', tool_call_id: id, content });

/** The store ends texts that it has cut like this. */
const isCut = (text: string): boolean => text.endsWith('…');

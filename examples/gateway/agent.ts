import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';

/**
 * A support agent as people write one with the `openai` package. Nothing in it knows of Millrace: OPENAI_BASE_URL and OPENAI_API_KEY say
 * where its model is.
 */

const ORDERS: Readonly<Record<string, string>> = { A17: 'sent on Monday', B42: 'waiting for payment' };

const TOOLS: OpenAI.ChatCompletionTool[] = [
  {
    type: 'function',
    function: {
      name: 'order_status',
      description: 'Says what has become of an order',
      parameters: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
    },
  },
];

const MOST_TURNS = 8;

/** Answers a customer. The model looks orders up as often as it likes. */
export async function answer(question: string, client = new OpenAI(), model = 'small'): Promise<string> {
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: 'system', content: 'You answer customers of a shop. Look orders up before you say anything about them.' },
    { role: 'user', content: question },
  ];
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    const { message } = (await client.chat.completions.create({ model, messages, tools: TOOLS })).choices[0]!;
    const { content, tool_calls = [] } = message;
    if (tool_calls.length === 0) return content ?? '';
    messages.push({ role: 'assistant', content, tool_calls });
    for (const call of tool_calls) messages.push({ role: 'tool', tool_call_id: call.id, content: statusOf(call) });
  }
  return 'I do not know.';
}

function statusOf(call: OpenAI.ChatCompletionMessageToolCall): string {
  const { order = '' } = call.type === 'function' ? (JSON.parse(call.function.arguments) as { order?: string }) : {};
  return ORDERS[order] ?? `there is no order ${order}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [question = 'Where is my order A17?', model] = process.argv.slice(2);
  process.stdout.write(`${await answer(question, new OpenAI(), model)}\n`);
}

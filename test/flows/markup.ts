/** Every text that a flow can leave behind is markup that would run if a page took it for that. */
import { defineFlow, defineTool, ToolError, z } from 'millrace';

const SCRIPT = "<script>globalThis.hacked = 'script'</script>";
const IMAGE = `<img src=x onerror="globalThis.hacked = 'image'">`;
const LINK = `<a href="javascript:globalThis.hacked = 'link'">a link</a>`;

interface Memory {
  said: string[];
}

const tool = defineTool<Memory>();

export default defineFlow<{ id: string }, Memory>({
  name: 'markup',
  task: z.object({ id: z.string() }),
  load: () => ({ tasks: Array.from({ length: 40 }, (_, i) => ({ id: `page-${i}` })) }),
  type: () => IMAGE,
  tools: {
    say: tool({
      description: 'Says it.',
      input: z.object({ text: z.string() }),
      arguments: () => ({ text: IMAGE }),
      run(_, memory) {
        memory.said.push(SCRIPT);
        return SCRIPT;
      },
    }),
    fail: tool({
      description: 'Fails with it.',
      input: z.object({}),
      arguments: () => ({}),
      run() {
        throw new ToolError(`${IMAGE} ${LINK}`);
      },
    }),
  },
  features: { item: ['any'] },
  remember: () => ({ said: [] }),
  plan: () => ({ items: [{ flags: { any: true } }], actions: [{ tool: 'say' }, { tool: 'fail' }] }),
  verify: () => 'continue',
  maxSteps: () => 3,
  answer: ({ said }) => said,
  reward: (_, answer) => (z.array(z.string()).parse(answer).length > 1 ? 1 : 0),
});

import { agentTool, defineAgent, seededRandom, ToolError, z } from 'millrace';

const STATUSES = ['delivered', 'pending', 'lost'] as const;
const WISHES = ['broken', 'late', 'unwanted'] as const;
const CUSTOMERS = ['ann', 'bo', 'cleo', 'dan', 'eve', 'finn', 'gil', 'hugo', 'ivy', 'jan', 'kim', 'leo'];

/** A customer says what is wrong with their order. */
interface Task {
  id: string;
  customer: string;
  wish: (typeof WISHES)[number];
  /** Of the customer: a digit, and where it is. The model does not know it before it has looked. */
  order: number;
  status: (typeof STATUSES)[number];
}

interface Desk extends Task {
  /** What was done to which order. */
  done: string[];
}

/** What the desk does: nothing, where patience is all that helps. */
const POLICY: Record<Task['status'], Record<Task['wish'], 'refund' | 'cancel' | 'replace' | undefined>> = {
  delivered: { broken: 'replace', late: undefined, unwanted: 'refund' },
  pending: { broken: undefined, late: 'cancel', unwanted: 'cancel' },
  lost: { broken: 'replace', late: 'replace', unwanted: 'refund' },
};

const tool = agentTool<Desk>();

/** A tool that does something to an order. */
const act = (name: string, description: string) =>
  tool({
    name,
    description,
    input: z.object({ order: z.int().min(0).max(9) }),
    run({ order }, desk) {
      if (order !== desk.order) throw new ToolError(`no order ${order}`);
      desk.done.push(name);
      return 'done';
    },
  });

/** Looks an order up, and does to it what its status and the customer's words call for. */
export default defineAgent<Task, Desk>({
  name: 'tiny-llama',
  task: z.object({
    id: z.string(),
    customer: z.string(),
    wish: z.enum(WISHES),
    order: z.int().min(0).max(9),
    status: z.enum(STATUSES),
  }),
  load({ seed }) {
    const random = seededRandom(seed);
    const tasks = CUSTOMERS.flatMap((customer) =>
      WISHES.flatMap((wish) =>
        STATUSES.flatMap((status) =>
          Array.from({ length: 10 }, (_, order): Task => ({
            id: `${customer}-${wish}-${status}-${order}`,
            customer,
            wish,
            order,
            status,
          })),
        ),
      ),
    );
    // In no order: rounds are to have some of everything.
    const key = new Map(tasks.map(({ id }) => [id, random.uniform()]));
    return { tasks: tasks.sort((a, b) => key.get(a.id)! - key.get(b.id)!) };
  },
  // The model knows nothing but this desk: there is nothing to tell it.
  instructions: '',
  messages: ({ customer, wish }) => `${customer} ${wish}`,
  memory: (task) => ({ ...task, done: [] }),
  tools: [
    tool({
      name: 'find',
      description: 'Finds the order of a customer.',
      input: z.object({ customer: z.string() }),
      run({ customer }, desk) {
        if (customer !== desk.customer) throw new ToolError(`no customer ${customer}`);
        return `${desk.order} ${desk.status}`;
      },
    }),
    act('refund', 'Gives the money back.'),
    act('cancel', 'Cancels an order that is pending.'),
    act('replace', 'Sends the goods once more.'),
  ],
  maxTurns: 4,
  observe: ({ done }) => ({ done }),
  answer: ({ done }, said) => ({ done, said }),
  reward({ status, wish }, answer) {
    const { done, said } = answer as { done: string[]; said: string | null };
    const wanted = POLICY[status][wish] ?? 'wait';
    return (done.length === 0 ? said : done.join()) === wanted ? 1 : 0;
  },
  rule({ done }, { messages }) {
    const [user, , found] = messages;
    const [customer, wish] = user!.content.split(' ') as [string, Task['wish']];
    if (found === undefined) return { calls: [{ tool: 'find', arguments: { customer } }] };
    const [order, status] = found.content.split(' ') as [string, Task['status']];
    const wanted = POLICY[status][wish];
    if (wanted === undefined) return 'wait';
    return done.length > 0 ? 'done' : { calls: [{ tool: wanted, arguments: { order: Number(order) } }] };
  },
});

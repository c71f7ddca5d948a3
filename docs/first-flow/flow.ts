/** A thermostat: make every room of a house comfortable. Heating and cooling work only behind closed windows. */
import { defineFlow, defineTool, seededRandom, ToolError, z } from 'millrace';

const roomSchema = z.object({ degrees: z.number(), windowOpen: z.boolean() });
const taskSchema = z.object({ id: z.string(), target: z.number(), rooms: z.array(roomSchema).min(1) });
type Task = z.infer<typeof taskSchema>;
type Room = z.infer<typeof roomSchema>;

/** What the flow knows while it runs. */
interface Memory {
  target: number;
  rooms: Room[];
}

const TOLERANCE = 1;

const tool = defineTool<Memory>();
const input = z.object({ room: z.int().min(0) });
const pointAt = (_: Memory, room?: number): { room: number } => ({ room: room! });

/** Changes the temperature of a room that can hold it. */
const change = (degrees: number) => (call: { room: number }, memory: Memory) => {
  const room = memory.rooms[call.room]!;
  if (room.windowOpen) throw new ToolError('the window is open: close it first');
  room.degrees += degrees;
  return { degrees: room.degrees };
};

export default defineFlow<Task, Memory>({
  name: 'thermostat',
  task: taskSchema,

  load({ seed }) {
    const random = seededRandom(seed);
    const tasks = Array.from({ length: 200 }, (_, i) => ({
      id: `house-${i}`,
      target: 18 + random.integer(6),
      rooms: Array.from({ length: 1 + random.integer(3) }, () => ({
        degrees: 14 + random.integer(15),
        windowOpen: random.uniform() < 0.3,
      })),
    }));
    return { tasks };
  },

  tools: {
    heat: tool({ description: 'Warms a room by two degrees.', input, pointers: 1, arguments: pointAt, run: change(2) }),
    cool: tool({ description: 'Cools a room by two degrees.', input, pointers: 1, arguments: pointAt, run: change(-2) }),
    close: tool({
      description: 'Closes the window of a room.',
      input,
      pointers: 1,
      arguments: pointAt,
      run: ({ room }, memory) => (memory.rooms[room]!.windowOpen = false),
    }),
    done: tool({
      description: 'Says that the house is comfortable.',
      input: z.object({}),
      arguments: () => ({}),
      run: () => 'bye',
    }),
  },

  features: { item: ['cold', 'warm', 'open'] },

  remember: (task) => structuredClone({ target: task.target, rooms: task.rooms }),

  plan: ({ rooms, target }) => ({
    items: rooms.map(({ degrees, windowOpen }) => ({
      flags: { cold: degrees < target - TOLERANCE, warm: degrees > target + TOLERANCE, open: windowOpen },
    })),
    actions: [
      ...rooms.flatMap((_, room) => ['heat', 'cool', 'close'].map((name) => ({ tool: name, items: [room] }))),
      { tool: 'done' },
    ],
  }),

  verify: (_, outcome) => (outcome.tool === 'done' ? 'stop' : 'continue'),

  maxSteps: (task) => 8 * task.rooms.length,

  answer: (memory) => memory.rooms.map((room) => room.degrees),

  reward: (task, answer) =>
    z
      .array(z.number())
      .parse(answer)
      .every((degrees) => Math.abs(degrees - task.target) <= TOLERANCE)
      ? 1
      : 0,

  rule: ({ rooms, target }, { actions }) => {
    const room = rooms.findIndex(({ degrees }) => Math.abs(degrees - target) > TOLERANCE);
    if (room < 0) return actions.length - 1;
    return 3 * room + (rooms[room]!.windowOpen ? 2 : rooms[room]!.degrees < target ? 0 : 1);
  },
});

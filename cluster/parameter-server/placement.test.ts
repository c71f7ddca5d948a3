import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { createJobRecord, transition } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';
import { announce } from '../runtime/nodes.ts';
import { Placement } from './placement.ts';

let nodes: MemoryNodes;
const closing: (() => void)[] = [];
beforeEach(() => (nodes = new MemoryNodes('/nowhere')));
afterEach(() => closing.splice(0).forEach((close) => close()));

const run = <T>(work: Promise<T>): Promise<T> => nodes.clock.run(work);
const wait = (ms: number): Promise<void> => run(nodes.clock.sleep(ms));

/** A parameter server with trainers for these jobs; they may be changed. */
async function server(id: string, jobs: string[] = []) {
  const context = await run(nodes.node(id));
  const placement = new Placement(context);
  await run(placement.ready());
  closing.push(() => placement.close());
  const figures = { rssBytes: 0, peakRssBytes: 0, cpuSeconds: 0, eventLoopDelayMs: 0 };
  const actor = { state: 'idle' as const, mailboxDepth: 0, restarts: 0, waitingFor: '', messages: 0 };
  const leave = await run(
    announce(context.bus, nodes.clock, () => ({
      ...{
        id,
        roles: ['parameter-server' as const],
        pid: 1,
        address: `${id}:1`,
        startedAt: 0,
        heartbeatAt: 0,
        ...figures,
        labels: {},
      },
      actors: jobs.map((job) => ({ ...actor, address: `${id}/parameter-server/${job}` })),
    })),
  );
  return { context, placement, jobs, leave };
}

const CONFIG = thermostatJob([]);
let created = 0;
async function running({ jobs }: NodeContext, ...ids: string[]): Promise<void> {
  for (const id of ids) {
    const now = (created += 1);
    await run(jobs.create(transition(createJobRecord({ id, config: CONFIG, now }), 'RUNNING', { now })));
  }
  await wait(10);
}
const records = ({ jobs }: NodeContext) => jobs.active().map(({ record }) => record);

describe('Placement', () => {
  it('gives everything to a server that is alone', async () => {
    const { context, placement } = await server('a');
    await running(context, 'x', 'y');
    expect(placement.isAlone).toBe(true);
    expect([placement.isForThis('x', []), placement.isForThis('y', ['x'])]).toEqual([true, true]);
    expect([...placement.choose(records(context), [])]).toEqual(['x', 'y']);
  });

  it('gives a new job to one server, whatever is known of those before it', async () => {
    const [a, b] = [await server('a'), await server('b')];
    await running(a.context, 'v', 'w', 'x', 'y');
    for (const job of ['v', 'w', 'x', 'y'])
      expect([a, b].filter(({ placement, jobs }) => placement.isForThis(job, jobs))).toHaveLength(1);
    // It has a trainer; the other one does not know yet.
    a.jobs.push('v');
    for (const job of ['w', 'x', 'y'])
      expect([a, b].filter(({ placement, jobs }) => placement.isForThis(job, jobs))).toHaveLength(1);
    await wait(2_100);
    expect([a, b].filter(({ placement, jobs }) => placement.isForThis('v', jobs))).toHaveLength(0);
  });

  it('gives new jobs to the server with the fewest that have not ended', async () => {
    const [a, b] = [await server('a', ['v', 'w']), await server('b', ['x', 'old', 'older', 'oldest'])];
    await running(a.context, 'v', 'w', 'x', 'y');
    expect([a.placement.isForThis('y', a.jobs), b.placement.isForThis('y', ['x'])]).toEqual([false, true]);
  });

  it('lets a job that its server does not take be taken by another after two seconds', async () => {
    const [a, b] = [await server('a', ['v']), await server('b')];
    await running(a.context, 'v', 'x');
    const free = records(a.context).filter(({ id }) => id === 'x');
    expect([...b.placement.choose(free, [])]).toEqual(['x']);
    expect([...a.placement.choose(free, ['v'])]).toEqual([]);
    await wait(1_900);
    expect([...a.placement.choose(free, ['v'])]).toEqual([]);
    await wait(200);
    expect([...a.placement.choose(free, ['v'])]).toEqual(['x']);
  });

  it('counts on no server that has left or is silent', async () => {
    const [a, b, c] = [await server('a'), await server('b'), await server('c')];
    await running(a.context, 'v', 'w', 'x');
    const chosen = (): number => a.placement.choose(records(a.context), []).size;
    expect(chosen()).toBe(1);
    await run(b.leave());
    await wait(1);
    expect(chosen()).toBe(2);
    // Killed: its heartbeats end, and its entry stays for a while.
    const kv = a.context.bus.kv('nodes');
    const entry = await run(kv.get('parameter-server.c'));
    await run(c.leave());
    await run(kv.put('parameter-server.c', entry!.value));
    await wait(1);
    expect([chosen(), a.placement.isAlone]).toEqual([2, false]);
    await wait(6_000);
    expect([chosen(), a.placement.isAlone]).toEqual([3, true]);
  });
});

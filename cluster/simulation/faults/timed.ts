import { publishGarbage } from './garbage.ts';
import type { SimulatedCluster } from '../cluster.ts';
import type { World } from '../world.ts';
import type { PlannedFault } from './plan.ts';

/** How long a process that was replaced goes on at most before somebody ends it, in ms. */
const LIVES_ON_MS = 15_000;
/** How long the servers take to choose another leader, in ms. */
const LEADER_MS = 500;
/** When the new process of a zombie's node is started, in ms after it began to stand still: its supervisor takes it for dead. */
const REPLACED_AFTER_MS = 2_000;
/** How far behind the disk of a server that is killed is at most, in ms. */
const UNWRITTEN = { durablesMs: 100, removalsMs: 30_000 };

/** Makes every planned fault happen at its time, and ends all of them when the plan ends. */
export function scheduleFaults(world: World, cluster: SimulatedCluster, only?: ReadonlySet<string>): void {
  const { clock, plan, recorder, faults } = world;
  for (const fault of plan.timed) {
    if (fault.at >= plan.endsAt || (only !== undefined && !only.has(fault.id))) continue;
    void clock.sleep(fault.at).then(async () => {
      faults.count(fault.kind, fault.id);
      recorder.note('faults', fault.kind, `${fault.id} ${describe(fault)}`, { fault: fault.id });
      const heal = begin(fault, world, cluster);
      if (!heal) return;
      await clock.sleep(Math.min(fault.forMs, plan.endsAt - fault.at));
      recorder.note('faults', 'heal', fault.id, { fault: fault.id });
      heal();
    });
  }
}

/** What the fault does, for people. */
function describe({ kind, forMs, other, jumpMs }: PlannedFault): string {
  const parts = [
    ...(other === undefined ? [] : [kind === 'partition' ? `from ${other}` : other]),
    ...(jumpMs === undefined ? [] : [`by ${Math.round(jumpMs)} ms`]),
    ...(forMs > 0 ? [`for ${Math.round(forMs)} ms`] : []),
  ];
  return parts.join(' ');
}

/** A process stands still for so long that another one is started in its place, goes on beside it for a while, and is ended. */
async function becomeZombie({ node, forMs }: PlannedFault, world: World, cluster: SimulatedCluster): Promise<void> {
  const { life } = cluster.process(node);
  const goOn = cluster.pause(node);
  await world.clock.sleep(REPLACED_AFTER_MS);
  if (!life.hasEnded && cluster.process(node).life === life) cluster.replace(node);
  await world.clock.sleep(forMs);
  goOn();
  await world.clock.sleep(forMs % LIVES_ON_MS);
  world.crash(life);
}

function killServer({ id }: PlannedFault, { server, random }: World): void {
  const behind = random.fork(`killed ${id}`);
  server.kill({ durablesMs: UNWRITTEN.durablesMs * behind.uniform(), removalsMs: UNWRITTEN.removalsMs * behind.uniform() });
}

/** Lets the fault begin; returns what ends it, where it lasts. */
function begin(fault: PlannedFault, world: World, cluster: SimulatedCluster): (() => void) | undefined {
  const { node, other } = fault;
  const { network } = world;
  switch (fault.kind) {
    case 'garbage':
      return void publishGarbage(world, fault);
    case 'crash':
      return void cluster.crash(node);
    case 'restart':
      return void cluster.restart(node);
    case 'power-loss':
      cluster.crashAll();
      world.powerLost();
      return undefined;
    case 'pause':
      return cluster.pause(node);
    case 'zombie':
      void becomeZombie(fault, world, cluster);
      return undefined;
    case 'partition':
      network.cut(node, other!);
      cluster.process(node).bus.silent();
      return () => network.heal(node, other!);
    case 'nats-away':
      network.cut('nats', '*');
      cluster.silent();
      return () => network.heal('nats', '*');
    case 'nats-restart':
      network.cut('nats', '*');
      cluster.silent();
      killServer(fault, world);
      return () => network.heal('nats', '*');
    case 'leader-change':
      network.cut('nats', '*');
      cluster.silent();
      world.server.restart();
      void world.clock.sleep(LEADER_MS).then(() => network.heal('nats', '*'));
      return undefined;
    case 'stream-full':
      return world.fill(other!);
    case 'store-away':
      world.storeTrouble = 'away';
      return () => (world.storeTrouble = undefined);
    case 'store-full':
      world.storeTrouble = 'full';
      return () => (world.storeTrouble = undefined);
    case 'disk-full':
      world.diskIsFull = true;
      return () => (world.diskIsFull = false);
    case 'state-lost':
      return void world.lose(other!);
    case 'watch-stalled':
      return world.stallWatches(node, other!);
    case 'clock-jump':
      return void cluster.process(node).clock.jump(fault.jumpMs!);
  }
}

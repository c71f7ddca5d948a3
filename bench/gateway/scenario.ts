import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startTestCluster } from '../../test/support/cluster.ts';
import { table } from '../../cluster/cli/table.ts';
import { entryOf } from '../../src/installation.ts';
import { checkGates, gatesOf } from '../load/gates.ts';
import { quantile } from '../load/quantile.ts';
import { integerOf } from '../options.ts';
import type { Scenario } from '../scenario.ts';
import { runStreams, type Delays, type Source } from './streams.ts';

const GATES = ['addedFirstP50Ms<3', 'addedLastP50Ms<3', 'addedFirstP99Ms<40', 'addedLastP99Ms<40'];
const FIGURES = GATES.map((gate) => /^\w+/.exec(gate)![0]);

interface Options {
  streams: string;
  rate: string;
  seconds: string;
  json?: string;
  gate: string[];
}

/** Streams through the gateway beside the same streams straight from their provider. */
export const gateway: Scenario = {
  name: 'gateway',
  summary: 'what the gateway adds to the first event and to the end of streams, against the same load straight to the provider',
  configure(command) {
    command
      .option('--streams <n>', 'at the same time', '200')
      .option('--rate <n>', 'events of a stream in a second', '20')
      .option('--seconds <n>', 'of each of the four turns: straight, gateway, straight, gateway', '10')
      .option('--gate <figure>=<bound>', 'bound in place of the default one; may be repeated', collect, [])
      .option('--json <file>', 'also write the result to this file');
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const gates = gatesOf(GATES, options.gate, FIGURES);
    const load = { streams: integerOf('--streams', options.streams, 1), ms: integerOf('--seconds', options.seconds, 1) * 1000 };
    const everyMs = 1000 / integerOf('--rate', options.rate, 1);
    const straight: Delays = { first: [], events: [], last: [] };
    const through: Delays = { first: [], events: [], last: [] };
    await withGateway(everyMs, async (sources) => {
      for (const turn of [1, 2]) {
        context.note(`turn ${turn} of 2`);
        await runStreams(sources.provider, { ...load, delays: straight });
        await runStreams(sources.gateway, { ...load, delays: through });
      }
    });
    const figures = added(straight, through);
    const checked = checkGates(gates, figures);
    const rows = (['first', 'events', 'last'] as const).flatMap((what) => [
      row('straight', what, straight),
      row('gateway', what, through),
    ]);
    for (const line of table(['', 'of', 'n', 'p50 ms', 'p99 ms'], rows).trimEnd().split('\n')) context.print(line);
    for (const { figure, operator, bound, measured, kept } of checked)
      context.print(`${figure} ${measured?.toFixed(2)} ${operator} ${bound}: ${kept ? 'kept' : 'NOT KEPT'}`);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ figures, gates: checked }, null, 2)}\n`);
    return checked.every(({ kept }) => kept) ? 0 : 1;
  },
};

const collect = (bound: string, bounds: string[]): string[] => [...bounds, bound];

function row(name: string, what: keyof Delays, delays: Delays): string[] {
  const values = delays[what];
  return [name, what, String(values.length), quantile(values, 0.5).toFixed(2), quantile(values, 0.99).toFixed(2)];
}

function added(straight: Delays, through: Delays): Record<string, number> {
  const difference = (what: keyof Delays, p: number): number => quantile(through[what], p) - quantile(straight[what], p);
  return {
    addedFirstP50Ms: difference('first', 0.5),
    addedLastP50Ms: difference('last', 0.5),
    addedFirstP99Ms: difference('first', 0.99),
    addedLastP99Ms: difference('last', 0.99),
  };
}

/** Two seconds of events for each stream. */
const STREAM_MS = 2000;

async function withGateway(
  everyMs: number,
  use: (sources: { provider: Source; gateway: Source }) => Promise<void>,
): Promise<void> {
  const { file, nodeArguments } = entryOf(new URL('./provider-main.ts', import.meta.url));
  const provider = fork(file, [String(STREAM_MS / everyMs), String(everyMs)], { execArgv: nodeArguments });
  try {
    const [{ port }] = (await once(provider, 'message')) as [{ port: number }];
    const url = `http://127.0.0.1:${port}/v1`;
    const cluster = await startTestCluster({ learners: 1, rollouts: 1, gatewayPort: 0, providers: { lab: { url } } });
    try {
      const token = readFileSync(join(cluster.stateDir, 'credentials', 'gateway-write.token'), 'utf8').trim();
      const created = await fetch(`${cluster.gatewayUrl}/v1/sessions`, {
        ...{ method: 'POST', headers: { authorization: `Bearer ${token}` }, body: '{"recording":"bench","task":{}}' },
      });
      const { key } = (await created.json()) as { key: string };
      await use({ provider: { url, key }, gateway: { url: `${cluster.gatewayUrl}/v1`, key } });
    } finally {
      await cluster.end();
    }
  } finally {
    provider.kill();
  }
}

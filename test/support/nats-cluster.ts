import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServer } from '../../cluster/infra/nats-server.ts';

/** Options of {@link startNatsCluster}. */
export interface NatsClusterOptions {
  /** Number of servers. Default 3. */
  servers?: number;
  /** Lines for the configuration of each server, e.g. of TLS and users, which may name files of its folder. */
  configuration?: (folder: string) => Promise<readonly string[]>;
}

/** NATS servers on this machine that are one JetStream cluster. */
export interface NatsCluster {
  /** Addresses of all, as `nats.url` takes them. */
  url: string;
  folder: string;
  /** Names of the servers, e.g. `n1`. */
  names: readonly string[];
  /** Ends a server with SIGKILL; it keeps its files. */
  kill(name: string): Promise<void>;
  /** Starts a killed server again, on its files and port. */
  restart(name: string): void;
  /** Ends all servers and removes their files. */
  stop(): Promise<void>;
}

/** Starts the servers on free ports of 127.0.0.1. Connections wait until JetStream has a leader. */
export async function startNatsCluster({ servers = 3, configuration = nothing }: NatsClusterOptions = {}): Promise<NatsCluster> {
  const binary = await findNatsServer();
  const folder = await mkdtemp(join(tmpdir(), 'millrace-nats-'));
  const names = Array.from({ length: servers }, (_, i) => `n${i + 1}`);
  const ports = await freePorts(2 * servers);
  const [clients, routes] = [ports.slice(0, servers), ports.slice(servers)];
  const more = await configuration(folder);
  const running = new Map<string, ChildProcess>();
  for (const [i, name] of names.entries()) {
    const lines = [
      `server_name: ${name}`,
      `listen: 127.0.0.1:${clients[i]}`,
      'max_payload: 8388608',
      `jetstream { store_dir: ${JSON.stringify(join(folder, name))}, max_file_store: 34359738368 }`,
      'cluster {',
      '  name: test',
      `  listen: 127.0.0.1:${routes[i]}`,
      `  routes: [${routes.map((port) => `"nats://127.0.0.1:${port}"`).join(', ')}]`,
      '}',
      ...more,
    ];
    await writeFile(join(folder, `${name}.conf`), `${lines.join('\n')}\n`);
  }
  const start = (name: string): void => {
    const log = join(folder, `${name}.log`);
    running.set(name, spawn(binary, ['--config', join(folder, `${name}.conf`), '--log', log], { stdio: 'ignore' }));
  };
  const kill = async (name: string): Promise<void> => {
    const child = running.get(name);
    running.delete(name);
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(names.map(kill));
    await rm(folder, { recursive: true, force: true });
  };
  names.forEach(start);
  const url = clients.map((port) => `nats://127.0.0.1:${port}`).join(',');
  return { url, folder, names, kill, restart: start, stop };
}

const nothing = (): Promise<readonly string[]> => Promise.resolve([]);

/** Ports that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

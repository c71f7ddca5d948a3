import type { ClusterConfig } from '../../src/config/cluster.ts';
import { MillraceError } from '../../src/errors.ts';
import { freePort } from './free-port.ts';

/** Ports of an embedded cluster. They are chosen by its supervisor, so that a node that is started again answers where the last one did. */
export interface ClusterPorts {
  /** Of the admin API. */
  admin: number;
  /** Of the gateway; undefined for none. */
  gateway: number | undefined;
  /** What the store node is to open, which alone can know that it got it; undefined for nothing. */
  clickhouse: number | 'auto' | undefined;
}

/** Chooses the ports. `failed_precondition` when one that the settings name is taken, before anything runs. */
export async function choosePorts({ ports, clickhouse }: ClusterConfig): Promise<ClusterPorts> {
  return {
    admin: await freeOr(ports.admin, 'the admin API', 'ports.admin', '0 for a free one'),
    gateway:
      ports.gateway === 'off'
        ? undefined
        : await freeOr(ports.gateway, 'the gateway', 'ports.gateway', '0 for a free one, or off'),
    clickhouse: clickhouse.url === undefined ? await clickhousePort(ports.clickhouse) : undefined,
  };
}

async function clickhousePort(port: number | 'auto' | 'off'): Promise<number | 'auto' | undefined> {
  if (port === 'off') return undefined;
  if (port === 'auto' || port === 0) return port;
  return freeOr(port, "ClickHouse's HTTP interface", 'ports.clickhouse', 'auto for a free one, or off');
}

/** The port, which must be free; a free one for 0. */
async function freeOr(port: number, what: string, field: string, others: string): Promise<number> {
  const free = await freePort(port);
  if (port === 0 || free === port) return free;
  const advice = `end what listens there, or set ${field} to another one, ${others}`;
  throw new MillraceError('failed_precondition', `port ${port} for ${what} is taken; ${advice}`, { field });
}

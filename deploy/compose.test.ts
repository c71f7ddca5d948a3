import { readdirSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadClusterConfig } from '../src/config/cluster.ts';
import { ROLE_NAMES } from '../src/protocol/roles.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { monitorProcess } from '../src/telemetry/process-stats.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

interface Service {
  image: string;
  profiles?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  networks?: string[];
  ports?: string[];
  depends_on?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  deploy?: { resources?: { limits?: { cpus?: string; memory?: string } } };
}
const compose = parse(read('compose.yaml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  networks: Record<string, unknown>;
};
const services = Object.entries(compose.services);
/** What Compose puts in place of variables that are not set. */
const filled = (text: string): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');

describe('compose.yaml', () => {
  it('is valid by the schema of Compose', () => {
    const { $schema: _, ...schema } = JSON.parse(read('test/compose-spec.json')) as Record<string, unknown>;
    const check = new Ajv({ strict: false, validateFormats: false }).compile(schema);
    check(compose);
    expect(check.errors).toBeNull();
    expect(check({ ...compose, services: { nats: { imag: 'nats' } } })).toBe(false);
  });

  it('runs every role, and what it needs, without a profile', () => {
    const started = services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name);
    const nats = ['nats-1', 'nats-2', 'nats-3'];
    const others = ROLE_NAMES.filter((role) => role !== 'coordinator');
    expect(started.sort()).toEqual(['coordinator-1', 'coordinator-2', ...others, ...nats, 'prometheus'].sort());
  });

  it('bounds the memory and the processor time of every container', () => {
    for (const [name, { deploy }] of services) {
      expect(deploy?.resources?.limits?.memory, name).toMatch(/^\d+[mg]$/);
      expect(Number(deploy?.resources?.limits?.cpus), name).toBeGreaterThan(0);
    }
  });

  it('gives each role its own credentials, read-only, and a root that nobody writes', () => {
    for (const role of ROLE_NAMES) {
      const { volumes, read_only, cap_drop } = compose.services[role === 'coordinator' ? 'coordinator-1' : role]!;
      expect(volumes!.filter((volume) => volume.includes('/run/secrets/')).map(filled)).toEqual([
        `./cluster/${role}:/run/secrets/millrace:ro`,
      ]);
      expect([read_only, cap_drop]).toEqual([true, ['ALL']]);
    }
  });

  it('publishes ports to this machine alone', () => {
    const ports = services.flatMap(([, service]) => service.ports ?? []).map(filled);
    expect(ports.length).toBeGreaterThan(3);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('sets what millrace takes', () => {
    for (const role of ROLE_NAMES) {
      const { environment } = compose.services[role === 'coordinator' ? 'coordinator-1' : role]!;
      const env = Object.fromEntries(Object.entries(environment!).map(([name, text]) => [name, filled(String(text))]));
      expect(loadClusterConfig({ env }).config).toMatchObject({
        nats: { replicas: 3 },
        network: { bind: '0.0.0.0', grpcPort: 7000 },
        artifacts: { dir: '/var/lib/millrace/artifacts' },
      });
    }
  });

  it('names volumes and networks that there are', () => {
    for (const [, { volumes = [], networks = [] }] of services) {
      const named = volumes.map((volume) => filled(volume).split(':')[0]!).filter((name) => !/^[./]/.test(name));
      for (const name of named) expect(compose.volumes).toHaveProperty(name);
      for (const name of networks) expect(compose.networks).toHaveProperty(name);
    }
  });
});

describe('prometheus', () => {
  interface Rule {
    alert: string;
    expr: string;
    annotations: { summary: string };
  }
  const { groups } = parse(read('prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);

  it('scrapes every service that is a node', () => {
    const { scrape_configs } = parse(read('prometheus/prometheus.yml')) as {
      scrape_configs: { job_name: string; dns_sd_configs?: { names: string[]; port: number }[] }[];
    };
    const { names, port } = scrape_configs.find(({ job_name }) => job_name === 'millrace')!.dns_sd_configs![0]!;
    const nodes = services.filter(([, { image }]) => image.includes('MILLRACE_IMAGE')).map(([name]) => name);
    expect([...names].sort()).toEqual(nodes.sort());
    expect(port).toBe(9464);
  });

  it('alerts on metrics that there are', async () => {
    const monitor = monitorProcess();
    const there = await createMetrics({ node: 'n', role: 'r', monitor }).text();
    monitor.stop();
    for (const { alert, expr } of rules)
      for (const [name] of expr.matchAll(/\bmillrace_\w+/g)) expect(there, `${alert}: ${name}`).toContain(`# TYPE ${name} `);
  });

  it('misses every role that is absent', () => {
    const { expr } = rules.find(({ alert }) => alert === 'MillraceRoleMissing')!;
    for (const role of ROLE_NAMES) expect(expr).toContain(`absent(millrace_process_cpu_seconds{node_role="${role}"})`);
  });

  it('has an entry of the runbook for each alert', () => {
    const runbook = read('../docs/deploy.md');
    for (const { alert } of rules) expect(runbook).toContain(`### ${alert}\n`);
    expect([...runbook.matchAll(/^### (Millrace\w+)$/gm)].map(([, name]) => name).sort()).toEqual(
      rules.map(({ alert }) => alert).sort(),
    );
  });
});

describe('vector', () => {
  it.each(readdirSync(new URL('vector', import.meta.url)))('%s sends on what it reads', (file) => {
    const { sources, transforms, sinks } = parse(read(`vector/${file}`)) as Record<string, Record<string, { inputs?: string[] }>>;
    const there = [...Object.keys(sources!), ...Object.keys(transforms ?? {})];
    const used = [...Object.values(transforms ?? {}), ...Object.values(sinks!)].flatMap(({ inputs }) => inputs!);
    expect(used.sort()).toEqual(there.sort());
  });
});

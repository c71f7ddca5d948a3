import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BACKENDS } from '../compute/backend.ts';
import { loadClusterConfig, withoutSecrets } from './cluster.ts';
import { COMPUTE_BACKENDS } from './compute-backends.ts';

describe('loadClusterConfig', () => {
  it('has a default for everything', () => {
    const { config, sources } = loadClusterConfig({ cwd: '/srv' });
    expect(config).toMatchObject({
      stateDir: '/srv/.millrace',
      learners: 'auto',
      cores: 'auto',
      compute: {},
      rollouts: 2,
      rewards: 1,
      parameterServers: 1,
      ports: { admin: 0 },
      logLevel: 'info',
    });
    expect(config.clickhouse).toEqual({ user: 'default', password: '', database: 'millrace' });
    expect(config.token).toBeUndefined();
    expect(new Set(Object.values(sources))).toEqual(new Set(['default']));
  });

  it('looks for the files of TLS in the working directory', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-cluster-'));
    writeFileSync(join(folder, 'c.yaml'), 'tls: { caFile: ca.pem, certFile: /etc/node.pem, keyFile: node.key }\n');
    const { config } = loadClusterConfig({ file: join(folder, 'c.yaml'), cwd: '/srv', env: { MILLRACE_TLS_KEY: 'other.key' } });
    expect(config.tls).toEqual({ caFile: '/srv/ca.pem', certFile: '/etc/node.pem', keyFile: '/srv/other.key' });
    expect(() => loadClusterConfig({ env: { MILLRACE_TLS_CA: 'ca' } })).toThrow(/tls\.certFile is missing/);
    rmSync(folder, { recursive: true });
  });

  it('knows every compute backend', () => {
    expect(COMPUTE_BACKENDS).toEqual(BACKENDS);
    const env = { MILLRACE_COMPUTE_BACKEND: 'tensorflow' };
    expect(loadClusterConfig({ env }).config.compute).toEqual({ backend: 'tensorflow' });
    expect(() => loadClusterConfig({ env: { MILLRACE_COMPUTE_BACKEND: 'cuda' } })).toThrow(/compute\.backend: got "cuda"/);
  });

  it('knows the variables that people know', () => {
    const { config, sources } = loadClusterConfig({
      env: {
        CLICKHOUSE_URL: 'http://127.0.0.1:8123',
        CLICKHOUSE_USER: 'me',
        CLICKHOUSE_PASSWORD: '123',
        NATS_URL: 'nats://127.0.0.1:4222,nats://127.0.0.1:4223',
        NATS_CREDS: 'millrace.creds',
        NATS_CA: 'ca.pem',
        MILLRACE_TOKEN: '0123456789abcdef',
        MILLRACE_CLUSTER__PORTS__ADMIN: '7001',
        MILLRACE_LOG_LEVEL: '',
      },
      overrides: ['learners=3'],
      flags: { rollouts: 3 },
    });
    expect(config).toMatchObject({
      clickhouse: { url: 'http://127.0.0.1:8123', user: 'me', password: '123' },
      nats: { url: 'nats://127.0.0.1:4222,nats://127.0.0.1:4223', credsFile: 'millrace.creds', caFile: 'ca.pem' },
      token: '0123456789abcdef',
      ports: { admin: 7001 },
      learners: 3,
      rollouts: 3,
    });
    expect(sources).toMatchObject({
      'clickhouse.url': 'environment',
      'ports.admin': 'environment',
      learners: 'flag',
      logLevel: 'default',
    });
  });

  it('knows those of the ClickHouse interface, and takes numbers as text', () => {
    const { config } = loadClusterConfig({ env: {} });
    expect([config.ports.clickhouse, config.clickhouse.writeToken, config.clickhouse.writeTokenFile]).toEqual([
      'auto',
      undefined,
      undefined,
    ]);
    for (const [text, port] of [
      ['auto', 'auto'],
      ['off', 'off'],
      ['0', 0],
      ['9000', 9000],
    ] as const) {
      expect(loadClusterConfig({ env: { MILLRACE_CLICKHOUSE_PORT: text } }).config.ports.clickhouse).toBe(port);
    }
    const env = { MILLRACE_CLICKHOUSE_WRITE_TOKEN_FILE: 'token.txt', MILLRACE_CLICKHOUSE_PORT: '9000' };
    const flags = { 'ports.clickhouse': 'off' };
    expect(loadClusterConfig({ env, flags }).config).toMatchObject({
      ports: { clickhouse: 'off' },
      clickhouse: { writeTokenFile: 'token.txt' },
    });
    for (const wrong of ['65536', '-1', 'on', '80.5']) {
      expect(() => loadClusterConfig({ env: { MILLRACE_CLICKHOUSE_PORT: wrong } })).toThrow(
        /^MILLRACE_CLICKHOUSE_PORT: ports\.clickhouse: got /,
      );
    }
    expect(() => loadClusterConfig({ env: { MILLRACE_CLICKHOUSE_WRITE_TOKEN: 'short' } })).toThrow(
      /^MILLRACE_CLICKHOUSE_WRITE_TOKEN: clickhouse\.writeToken: .*at least 16 characters/,
    );
  });

  it('reads a file below the environment', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-cluster-'));
    try {
      writeFileSync(join(folder, 'cluster.yaml'), 'learners: 2\nlogLevel: debug\n');
      const { config, sources } = loadClusterConfig({ file: 'cluster.yaml', cwd: folder, env: { MILLRACE_LOG_LEVEL: 'warn' } });
      expect(config).toMatchObject({ learners: 2, logLevel: 'warn', stateDir: join(folder, '.millrace') });
      expect(sources).toMatchObject({ learners: 'file', logLevel: 'environment' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    [
      { env: { CLICKHOUSE_URL: 'localhost:8123' } },
      /^CLICKHOUSE_URL: clickhouse\.url: got "localhost:8123", expected text \(a ClickHouse server, like/,
    ],
    [{ env: { MILLRACE_LOG_LEVEL: 'loud' } }, /^MILLRACE_LOG_LEVEL: logLevel: got "loud", expected one of fatal, error/],
    [{ env: { MILLRACE_CLUSTER__LEARNER: '2' } }, /^MILLRACE_CLUSTER__LEARNER: unknown key "LEARNER"; did you mean "learners"/],
    [{ overrides: ['learners=none'] }, /^--set learners: learners: got "none", expected an integer from 1 to 64 or auto/],
    [{ overrides: ['ports.admin=70000'] }, /got 70000, expected an integer from 0 to 65535/],
    [{ flags: { 'ports.clickhouse': 'banana' } }, /^--clickhouse-port: ports\.clickhouse: got "banana"/],
    [{ env: { MILLRACE_TOKEN: 'short' } }, /^MILLRACE_TOKEN: token: got .*at least 16 characters/],
    [{ overrides: ['token=sixteen characters'] }, /^--set token: other accounts can read arguments/],
    [{ overrides: ['clickhouse.password=x'] }, /^--set clickhouse.password: other accounts/],
    [
      { env: { NATS_URL: 'nats://a,http://b' } },
      /NATS_URL: nats\.url: .*expected addresses like nats:\/\/host:4222, with commas/,
    ],
    [{ env: { NATS_CA: 'x' } }, /nats\.caFile: .*is about servers that run already: nats\.url says where/],
    [{ env: { NATS_URL: 'nats://a', NATS_PASSWORD: 'x' } }, /nats\.password: .*needs nats\.user/],
    [{ env: { NATS_URL: 'nats://a', NATS_CERT: 'x' } }, /nats\.certFile: .*needs nats\.keyFile/],
    [{ env: { NATS_URL: 'nats://a', NATS_KEY: 'x' } }, /nats\.keyFile: .*needs nats\.certFile/],
    [
      { env: { NATS_URL: 'nats://a', NATS_USER: 'u', NATS_CREDS: 'x' } },
      /nats\.credsFile: .*one way to log in, nats\.user another/,
    ],
    [{ env: { NATS_URL: 'nats://a' }, overrides: ['nats.replicas=2'] }, /nats\.replicas: got 2/],
  ])('rejects %o', (options, message) => {
    expect(() => loadClusterConfig(options)).toThrow(message);
  });

  it('never shows a secret', () => {
    const { config } = loadClusterConfig({
      env: {
        CLICKHOUSE_URL: 'http://u:hunter2@host:8123',
        CLICKHOUSE_PASSWORD: 'hunter2',
        NATS_URL: 'nats://t:hunter2@host:4222,nats://u:hunter2@host:4223',
        NATS_USER: 'me',
        NATS_PASSWORD: 'hunter2',
        MILLRACE_TOKEN: 'hunter2-hunter2-hunter2',
      },
    });
    expect(JSON.stringify(withoutSecrets(config))).not.toContain('hunter2');
    expect(withoutSecrets(config).clickhouse.url).toBe('http://***@host:8123');
    expect(() => loadClusterConfig({ env: { MILLRACE_TOKEN: 'hunter2' } })).toThrow(/MILLRACE_TOKEN/);
    expect(() => loadClusterConfig({ env: { MILLRACE_TOKEN: 'hunter2' } })).not.toThrow(/hunter2/);
  });
});

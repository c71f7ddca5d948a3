import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MillraceError } from '../errors.ts';
import { createLogger, silentLogger, type LoggerOptions } from './log.ts';

function recorded(options: Partial<LoggerOptions> = {}): {
  log: ReturnType<typeof createLogger>;
  lines: () => Record<string, unknown>[];
} {
  const written: string[] = [];
  const log = createLogger({
    name: 'millrace',
    node: 'n1',
    role: 'rollout',
    ...options,
    stream: { write: (line) => void written.push(line) },
  });
  return { log, lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('createLogger', () => {
  it('writes one JSON object a line, with who wrote it', () => {
    const { log, lines } = recorded();
    log.child({ job: 'demo', actor: 'n1/rollout/0' }).info({ round: 3 }, 'round begins');
    log.debug('not written');
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).toMatchObject({
      name: 'millrace',
      node: 'n1',
      role: 'rollout',
      pid: process.pid,
      level: 'info',
      job: 'demo',
      actor: 'n1/rollout/0',
      round: 3,
      msg: 'round begins',
    });
    expect(new Date(String(lines()[0]?.['time'])).getTime()).toBeGreaterThan(0);
  });

  it('writes errors with code, field and causes', () => {
    const { log, lines } = recorded();
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    log.error({ err: new MillraceError('unavailable', 'no server', { cause, field: 'nats.url' }) }, 'cannot connect');
    expect(lines()[0]?.['err']).toMatchObject({
      type: 'MillraceError',
      message: expect.stringContaining('no server') as string,
      code: 'unavailable',
      retryable: true,
      field: 'nats.url',
      cause: { message: 'refused', code: 'ECONNREFUSED' },
    });
  });

  it('hides secrets', () => {
    const { log, lines } = recorded();
    log.warn(
      {
        token: 'hunter2',
        config: { password: 'hunter2', clickhouse: { password: 'hunter2' } },
        metadata: { authorization: 'Bearer hunter2' },
      },
      'x',
    );
    log.error({ err: new Error('GET http://me:hunter2@host with Bearer hunter2') }, 'y');
    expect(JSON.stringify(lines())).not.toContain('hunter2');
    expect(lines()[0]).toMatchObject({ token: '[hidden]', config: { password: '[hidden]' } });
  });

  it('appends to a file at once, making its folder', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-log-'));
    try {
      const file = join(folder, 'logs', 'n1.log');
      createLogger({ name: 'millrace', file, level: 'debug' }).debug('one');
      createLogger({ name: 'millrace', file }).info('two');
      const messages = readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg);
      expect(messages).toEqual(['one', 'two']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('can be silent', () => {
    expect(silentLogger().isLevelEnabled('fatal')).toBe(false);
  });
});

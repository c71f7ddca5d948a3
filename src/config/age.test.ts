import { describe, expect, it } from 'vitest';
import { parseAge } from './age.ts';
import { loadClusterConfig } from './cluster.ts';

describe('an age', () => {
  it('is a whole number and a unit', () => {
    expect(['45s', '5m', '12h', '30d', '8w'].map((age) => parseAge(age, 'age'))).toEqual([45, 300, 43_200, 2_592_000, 4_838_400]);
  });

  it.each(['', '30', 'd', '0d', '1.5h', '-3d', '3 d', '1y', '1234567d'])('is not "%s"', (age) => {
    expect(() => parseAge(age, '--older-than')).toThrow(`--older-than: got "${age}", expected an age like 30m, 12h, 30d or 8w.`);
  });
});

describe('store.retention', () => {
  it('keeps everything for ever unless told otherwise, and is told in files, variables and flags', () => {
    expect(loadClusterConfig().config.store.retention).toEqual({
      ...{ steps: 'forever', trajectories: 'forever' },
      ...{ text: 'forever', tokens: 'forever' },
    });
    const { config } = loadClusterConfig({
      env: { MILLRACE_CLUSTER__STORE__RETENTION__TEXT: '30d' },
      overrides: ['store.retention.steps=8w'],
    });
    expect(config.store.retention).toEqual({ steps: '8w', trajectories: 'forever', text: '30d', tokens: 'forever' });
  });

  it.each(['30', '5m', 'never', '0d'])('refuses "%s" and says what is allowed', (age) => {
    expect(() => loadClusterConfig({ overrides: [`store.retention.steps="${age}"`] })).toThrow(/12h, 30d or 8w, or forever/);
  });
});

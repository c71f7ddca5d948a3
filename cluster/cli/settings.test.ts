import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { settingsText } from './settings.ts';

describe('settings', () => {
  it('are YAML that reads back, with the origin of what is no default', () => {
    const config = { name: 'a', rollout: { groupSize: 4, temperature: 1 }, source: { tasks: [1, 2] }, seed: 7 };
    const text = settingsText(config, {
      name: 'file',
      'rollout.groupSize': 'flag',
      'rollout.temperature': 'default',
      'source.tasks': 'environment',
    });
    expect(parse(text)).toEqual(config);
    expect(text).toMatch(/name: a # file\n/);
    expect(text).toMatch(/groupSize: 4 # flag\n/);
    expect(text).toMatch(/temperature: 1\n/);
    expect(text).toMatch(/# environment/);
    expect(text).toMatch(/seed: 7\n/);
  });
});

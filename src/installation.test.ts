import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { entryOf } from './installation.ts';

const MODULE = new URL('../cluster/node/main.ts', import.meta.url);

describe('the entry of another process', () => {
  it('is the compiled module where there is a build', () => {
    expect(entryOf(MODULE, '/build')).toEqual({ file: '/build/cluster/node/main.js', nodeArguments: [] });
  });

  it('is the source, with a loader, where there is none', () => {
    const { file, nodeArguments } = entryOf(MODULE, '');
    expect(file).toBe(fileURLToPath(MODULE));
    expect(nodeArguments).toEqual(['--import', expect.stringContaining('/tsx/')]);
  });
});

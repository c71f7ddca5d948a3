import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { artifactConformance } from '../../src/artifacts/conformance.ts';
import { FileArtifacts } from '../../src/artifacts/file-artifacts.ts';
import { sharedArtifacts } from './artifacts.ts';

artifactConformance('artifacts in a shared folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-shared-'));
  return {
    ...{ store: sharedArtifacts(folder), other: sharedArtifacts(folder) },
    damage: (digest) => appendFile(new FileArtifacts(folder).pathOf(digest), 'x'),
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

it('artifacts in a shared folder have no paths: what links to them may lie on another file system', () => {
  expect('pathOf' in sharedArtifacts('/mnt/artifacts')).toBe(false);
});

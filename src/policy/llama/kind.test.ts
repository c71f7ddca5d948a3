import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { writeTinyModel } from '../../base-model/testing.ts';
import { initCompute } from '../../compute/backend.ts';
import type { PolicyKindExample } from '../conformance/suite.ts';
import { policyKindConformance } from '../conformance/suite.ts';
import { llamaKind } from './kind.ts';

const folder = await mkdtemp(join(tmpdir(), 'millrace-llama-'));
afterAll(() => rm(folder, { recursive: true }));
const base = await writeTinyModel(folder, { words: ['red', 'tin', 'box', 'where', 'result ', 'is', ' ', '0', '1', '2'] });

const example: Omit<PolicyKindExample, 'settings'> = {
  kind: llamaKind,
  flow: {
    tools: [
      { name: 'look', pointers: 0, description: 'Looks into a box.', parameters: { type: 'object', properties: {} } },
      { name: 'pick', pointers: 1, description: 'Picks one.', parameters: {} },
    ],
    features: { state: ['late'], item: ['heavy'], action: [] },
  },
  plans: ['a red box', 'tin', 'where is it?'].map((content) => ({
    ...{ items: [], actions: [{ tool: 'look' }, { tool: 'pick' }] },
    conversation: { messages: [{ role: 'user' as const, content }], tools: [] },
  })),
  prepare: initCompute,
};
policyKindConformance('a language model with an adapter', {
  ...example,
  // So few tokens at once that groups are cut.
  settings: { base, maxTokens: 2, microBatchTokens: 100, adapter: { rank: 2, alpha: 1, targets: ['q', 'down'] } },
});

policyKindConformance('a language model, all of it', { ...example, settings: { base, maxTokens: 2, train: 'all' } });

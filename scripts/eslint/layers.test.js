import { ESLint } from 'eslint';
import { fileURLToPath } from 'node:url';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import { problemOf } from './layers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the layer rule', () => {
  it.each([
    ['src/jobs/scheduler.ts', '../../cluster/up/index.ts', 'src/ is the library: it does not import cluster/'],
    ['src/flow/run.ts', '../../examples/retail/flow.ts', 'src/ is the library: it does not import examples/'],
    ['src/algo/grpo/loss.ts', 'node:fs', 'src/algo/ is pure logic: it does no input or output, so it does not import node:fs'],
    ['src/actor/system.ts', 'fs', 'src/actor/ is pure logic: it does no input or output, so it does not import fs'],
    [
      'src/jobs/record.ts',
      '../bus/nats-bus.ts',
      'src/jobs/ is pure logic: it may import types of src/bus/nats-bus.ts, not values',
    ],
    [
      'src/algo/loss.ts',
      '@tensorflow/tfjs-core',
      'only src/compute and src/base-model and src/policy import @tensorflow/tfjs-core',
    ],
    ['src/rpc/server.ts', '@nats-io/jetstream', 'only src/bus import @nats-io/jetstream'],
    ['cluster/up/index.ts', '@grpc/grpc-js', 'only src/rpc import @grpc/grpc-js'],
    ['cluster/store/index.ts', 'chdb', 'only src/store import chdb'],
    ['bench/load.ts', '@clickhouse/client', 'only src/store import @clickhouse/client'],
    [
      'cluster/coordinator/ending.ts',
      '../parameter-server/books.ts',
      'cluster/coordinator/ is a role: what it shares with cluster/parameter-server/ belongs in src/protocol or cluster/runtime',
    ],
    [
      'cluster/store/index.ts',
      '../node/node.ts',
      'cluster/store is below cluster/node and must not import from it (the order is in scripts/eslint/rooms.js)',
    ],
    [
      'src/bus/nats/consumer.ts',
      '../../protocol/subjects.ts',
      'src/bus is below src/protocol and must not import from it (the order is in scripts/eslint/rooms.js)',
    ],
    ['web/api/types.ts', '../../src/errors.ts', 'web/ is the page: it imports its own files, and asks the gateway for the rest'],
    ['web/api/rpc.ts', 'node:fs', 'web/ is the page: of packages it imports preact, @preact/signals and uplot, not node:fs'],
    ['cluster/gateway/index.ts', '../../web/main.tsx', 'web/ is bundled for browsers (scripts/bundle/web.js)'],
    ['examples/retail/flow.ts', 'openai', "an example imports 'millrace', node: modules and its own files only"],
    ['examples/retail/flow.ts', 'zod', "an example imports 'millrace', node: modules and its own files only"],
    ['examples/retail/flow.ts', '../../src/index.ts', "an example imports 'millrace', node: modules and its own files only"],
    ['examples/retail/flow.ts', '../game-of-24/flow.ts', "an example imports 'millrace', node: modules and its own files only"],
  ])('does not let %s import %s', (file, source, problem) => {
    expect(problemOf(file, source, false)).toBe(problem);
  });

  it.each([
    ['cluster/coordinator/ending.ts', '../runtime/context.ts', false],
    ['cluster/coordinator/job-actor.test.ts', '../parameter-server/index.ts', false],
    ['cluster/serial/index.ts', '../coordinator/index.ts', false],
    ['src/jobs/record.ts', '../bus/bus.ts', true],
    ['src/jobs/record.ts', '../config/job.ts', false],
    ['src/jobs/record.ts', './state.ts', false],
    ['src/jobs/record.test.ts', 'node:fs', false],
    ['src/algo/loss.ts', '../errors.ts', false],
    ['src/bus/nats/connection.ts', '@nats-io/transport-node', false],
    ['src/store/embedded.ts', 'chdb/connection', false],
    ['src/rpc/health.ts', 'grpc-health-check', false],
    ['src/policy/planner/ops.ts', '@tensorflow/tfjs-core', false],
    ['cluster/up/index.ts', '../../src/bus/nats-bus.ts', false],
    ['cluster/up/index.ts', 'node:child_process', false],
    ['examples/retail/flow.ts', 'millrace', false],
    ['examples/retail/world/make.ts', '../tools.ts', false],
    ['examples/retail/world/make.ts', 'node:path', false],
    ['examples/retail/flow.test.ts', 'vitest', false],
    ['examples/retail/flow.test.ts', '../../src/flow/run.ts', false],
  ])('lets %s import %s', (file, source, typeOnly) => {
    expect(problemOf(file, source, typeOnly)).toBeUndefined();
  });

  it('fires in ESLint for every form of import, and for what it is not told about stays silent', async () => {
    // Rules that need types are off: the file exists only in this test.
    const eslint = new ESLint({ cwd: root, overrideConfig: [tseslint.configs.disableTypeChecked] });
    const code = [
      "import { readFileSync } from 'node:fs';",
      "import type { Bus } from '../bus/bus.ts';",
      "import { connect } from '../bus/nats-bus.ts';",
      "export * from '@nats-io/nats-core';",
      "export { x } from '../../cluster/up/index.ts';",
      "const lazy = import('chdb');",
      "type Tensor = import('@tensorflow/tfjs-core').Tensor;",
      "import { MillraceError } from '../errors.ts';",
      'import type { z } from "zod";',
      'void [readFileSync, connect, lazy, MillraceError] as unknown as [Bus, Tensor, z.ZodType];',
      '',
    ].join('\n');
    const [result] = await eslint.lintText(code, { filePath: `${root}/src/jobs/made-up.ts` });
    const found = result?.messages.filter(({ ruleId }) => ruleId === 'millrace/layers').map(({ line }) => line);
    expect(found).toEqual([1, 3, 4, 5, 6, 7]);
  });

  it('is an error, as are long files and floating promises', async () => {
    const config = await new ESLint({ cwd: root }).calculateConfigForFile(`${root}/src/jobs/record.ts`);
    const severities = [
      'millrace/layers',
      'max-lines',
      '@typescript-eslint/no-floating-promises',
      '@typescript-eslint/no-misused-promises',
    ].map((rule) => config.rules[rule]?.[0]);
    expect(severities).toEqual([2, 2, 2, 2]);
    expect(config.rules['max-lines']?.[1]).toMatchObject({ max: 450 });
  });
});

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { runtime } from '@pulumi/pulumi';
import { manifests } from '../kubernetes/manifests.ts';

interface Made {
  type: string;
  name: string;
  inputs: any;
}

const made: Made[] = [];
const SECRETS = { learner: { 'work.token': 'a token of sixteen characters' } };
let outputs: { namespace: string; admin: string };

before(async () => {
  runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      made.push({ type, name, inputs });
      return { id: `${name}-id`, state: inputs };
    },
    call: ({ inputs }) => inputs,
  });
  const { install } = await import('./program.ts');
  outputs = install({ version: '1.2.3', secrets: SECRETS, manifests: { namespace: 'agents', rollout: { scaling: {} } } });
  // Resources are registered one after the other, each when those it depends on are.
  const wanted = manifests({ secrets: SECRETS, rollout: { scaling: {} } }).length;
  for (let left = 200; made.length < wanted && left > 0; left--) await new Promise((resolve) => setTimeout(resolve, 50));
});

const ofType = (type: RegExp): Made[] => made.filter((each) => type.test(each.type));

describe('the program', () => {
  it('makes every object of the manifests, once', () => {
    const objects = manifests({ secrets: SECRETS, rollout: { scaling: {} } });
    const names = objects.map(({ kind, metadata }) =>
      `${kind}-${metadata!.name}`.toLowerCase().replace(/^namespace-millrace$/, 'namespace-agents'),
    );
    assert.deepEqual(made.map(({ name }) => name).sort(), names.sort());
  });

  it('runs the images of the version that is configured', () => {
    const images = ofType(/:(Deployment|StatefulSet)$/)
      .flatMap(({ inputs }) => inputs['spec'].template.spec.containers)
      .map(({ image }) => image);
    const own = images.filter((image: string) => !image.includes('nats'));
    assert.equal(own.length, 7);
    for (const image of own) assert.match(image, /:1\.2\.3$/);
  });

  it('keeps the credentials as secrets of Pulumi', () => {
    const [{ inputs }] = ofType(/:Secret$/) as [Made];
    const secret = inputs['stringData'];
    assert.ok(runtime.isRpcSecret(secret), 'it would be in clear in the state');
    assert.deepEqual(runtime.unwrapRpcSecret(secret), SECRETS.learner);
  });

  it('makes NATS before the nodes, and the namespace before all', () => {
    const at = (name: string): number => made.findIndex((each) => each.name === name);
    assert.equal(at('namespace-agents'), 0);
    assert.ok(at('statefulset-nats') < at('deployment-millrace-rollout'));
  });

  it('says where the admin API is', () => {
    assert.deepEqual(outputs, { namespace: 'agents', admin: 'millrace-admin.agents.svc:7000' });
  });
});

describe('secrets', () => {
  it('are the files of each folder, and a folder that is missing is named', async () => {
    const { readSecrets } = await import('./secrets.ts');
    const folder = mkdtempSync(join(tmpdir(), 'millrace-pulumi-'));
    try {
      for (const part of ['nats', 'coordinator', 'parameter-server', 'learner', 'rollout', 'reward', 'gateway'])
        mkdirSync(join(folder, part));
      writeFileSync(join(folder, 'learner', 'work.token'), 'token');
      assert.throws(() => readSecrets(folder), /\/store is not there: millrace:credentials/);
      mkdirSync(join(folder, 'store'));
      assert.deepEqual(readSecrets(folder).learner, { 'work.token': 'token' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

import { Config } from '@pulumi/pulumi';
import type { ManifestsInput } from '../kubernetes/config.ts';
import { install } from './program.ts';
import { readSecrets } from './secrets.ts';

const config = new Config('millrace');
const { namespace, admin } = install({
  version: config.require('version'),
  secrets: readSecrets(config.require('credentials')),
  manifests: config.getObject<ManifestsInput>('manifests') ?? {},
});

export { namespace, admin };

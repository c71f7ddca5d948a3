import { stringify } from 'yaml';
import type { ManifestsInput } from './config.ts';
import { manifests } from './manifests.ts';

/** Configurations whose objects are in the repository. */
const CONFIGURATIONS: Readonly<Record<string, ManifestsInput>> = {
  'millrace.yaml': {},
  'millrace-gpu.yaml': {
    learner: { gpu: {} },
    rollout: { scaling: { min: 2, max: 50 } },
    reward: { scaling: { min: 1, max: 10 } },
    artifacts: { url: 's3://millrace/artifacts', region: 'eu-central-1' },
  },
};

/** Content of each file of deploy/kubernetes/generated. */
export function generatedFiles(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(CONFIGURATIONS).map(([name, input]) => {
      const said = '# Written by deploy/kubernetes/generate.ts.\n';
      const documents = manifests(input).map((each) => stringify(each, { aliasDuplicateObjects: false }));
      return [name, `${said}${documents.map((text) => `---\n${text}`).join('')}`];
    }),
  );
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runInForeground } from '../setup/child.js';
import { smollm2File } from '../setup/smollm2.js';

/**
 * What is known of SmolLM2, for whoever has fetched it; and that exported weights say the same in peft, where MILLRACE_PEFT_PYTHON names a
 * Python that has it (scripts/base-model/exported.py says how).
 */
export async function models(_options, root, { start = runInForeground, file = smollm2File() } = {}) {
  if (!existsSync(file)) return { skipped: `there is no ${file}: npm run setup:smollm2 fetches it` };
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--project', 'unit', 'src/base-model/smollm2.test.ts'];
  if (process.env.MILLRACE_PEFT_PYTHON !== undefined) args.push('cluster/cli/export-checkpoint.test.ts');
  const code = await start(process.execPath, args, { cwd: root, env: { ...process.env, MILLRACE_SMOLLM2: file } });
  return code === 0 ? { passed: 'SmolLM2' } : { failed: 'see above' };
}

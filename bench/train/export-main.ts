/**
 * Writes the file for `bench/peers/grpo.py --retail`: `node --import tsx bench/train/export-main.ts <file.json> <job.yaml>
 * [data] [key=value …]` (`-` for no data).
 */
import { writeFile } from 'node:fs/promises';
import { REAL_PORTS } from '../../cluster/jobs/real-ports.ts';
import { loadJobRuntime } from '../../cluster/jobs/runtime.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { MillraceError } from '../../src/errors.ts';
import { exportEnvironment } from './export.ts';

const [to = '', file = '', data = '-', ...overrides] = process.argv.slice(2);

try {
  const { config } = loadJobConfig(file, { overrides, flags: { data: data === '-' ? undefined : data } });
  await writeFile(to, JSON.stringify(await exportEnvironment(await loadJobRuntime(config, REAL_PORTS))));
} catch (thrown) {
  console.error(MillraceError.from(thrown).message);
  process.exitCode = 1;
}

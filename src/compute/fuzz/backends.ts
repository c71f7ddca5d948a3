import { initCompute } from '../backend.ts';

/** MILLRACE_FUZZ_BACKENDS, a list with commas, puts others under test. */
const UNDER_TEST = process.env['MILLRACE_FUZZ_BACKENDS']?.split(',') ?? ['wasm', 'native'];

/** The backends under test that this machine has, loaded; `cpu`, the reference, is loaded too. */
export async function availableBackends(): Promise<string[]> {
  const available: string[] = [];
  for (const preferred of [...UNDER_TEST, 'cpu']) {
    await initCompute({ preferred }).then(
      () => preferred !== 'cpu' && available.push(preferred),
      (error: unknown) => process.stderr.write(`not tested here: ${String(error)}\n`),
    );
  }
  return available;
}

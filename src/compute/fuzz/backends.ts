import { initCompute } from '../backend.ts';

/** The backends under test that this machine has, loaded; `cpu`, the reference, is loaded too. */
export async function availableBackends(): Promise<string[]> {
  const available: string[] = [];
  for (const preferred of ['wasm', 'native', 'cpu']) {
    await initCompute({ preferred }).then(
      () => preferred !== 'cpu' && available.push(preferred),
      (error: unknown) => process.stderr.write(`not tested here: ${String(error)}\n`),
    );
  }
  return available;
}

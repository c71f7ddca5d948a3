import { main } from '../../cluster/cli/main.ts';

/** Runs a `millrace …` command line in this process, which is faster than one of its own. Flows are imported as vitest imports modules. */
export async function millraceInProcess(
  args: readonly string[],
  cwd: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof said) => ({ write: (text: string) => (said[name] += text) });
  const [stdout, stderr] = [stream('stdout'), stream('stderr')];
  const code = await main(args, { stdout, stderr, env: {}, cwd, signal: new AbortController().signal });
  return { code, ...said };
}

/**
 * The environment as a process: `node --import tsx bench/train/environment-main.ts <job.yaml> [data] [key=value …]` (`-` for no
 * data). Speaks protocol.ts over stdin and stdout, and ends with its stdin.
 */
import { REAL_PORTS } from '../../cluster/jobs/real-ports.ts';
import { loadJobRuntime } from '../../cluster/jobs/runtime.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { MillraceError } from '../../src/errors.ts';
import { initialParameters } from '../../src/policy/planner/layout.ts';
import { LockStepEnvironment } from './environment.ts';
import {
  frame,
  FrameReader,
  jobOf,
  LEARNABLE,
  readRequest,
  STANDING,
  writeLearnable,
  writeStanding,
  type Hello,
} from './protocol.ts';
import { plannerSpec } from './planner.ts';

const [file = '', data = '-', ...overrides] = process.argv.slice(2);

try {
  const { config } = loadJobConfig(file, { overrides, flags: { data: data === '-' ? undefined : data } });
  const runtime = await loadJobRuntime(config, REAL_PORTS);
  const environment = await LockStepEnvironment.open(runtime);
  const { tensors, values } = initialParameters(plannerSpec(runtime));
  const hello: Hello = {
    spec: plannerSpec(runtime),
    job: jobOf(config),
    tasks: { train: environment.plan.train.length, heldOut: environment.plan.validation.length },
    tensors,
    answers: { standing: STANDING, learnable: LEARNABLE },
  };
  process.stdout.write(frame(new TextEncoder().encode(JSON.stringify(hello))));
  process.stdout.write(frame(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)));
  const reader = new FrameReader();
  for await (const chunk of process.stdin) {
    for (const payload of reader.push(chunk as Uint8Array)) process.stdout.write(frame(await answer(environment, payload)));
  }
} catch (thrown) {
  console.error(MillraceError.from(thrown).message);
  process.exitCode = 1;
}

async function answer(environment: LockStepEnvironment, payload: Uint8Array): Promise<Uint8Array> {
  const request = readRequest(payload);
  switch (request.kind) {
    case 'reset':
      return writeStanding(await environment.reset(request));
    case 'step':
      return writeStanding(await environment.step(request.actions));
    case 'learn':
      return writeLearnable(environment.learnable(request.flows));
  }
}

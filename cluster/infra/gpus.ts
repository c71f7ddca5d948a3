/** Which NVIDIA GPUs this machine has for us. */
import { execFile } from 'node:child_process';
import { visibleGpus } from '../../src/compute/tensorflow/visible-gpus.ts';

/** One GPU. */
export interface Gpu {
  /** What CUDA_VISIBLE_DEVICES must be for a process that shall see this one alone: an index or a UUID. */
  visible: string;
  /** Product name, where nvidia-smi knows it. */
  name?: string;
  /** Memory in MiB, where nvidia-smi knows it. */
  memoryMiB?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A driver that is not loaded yet needs seconds for its first answer, and more for many devices. */
const TIMEOUT_MS = 20_000;
const QUERY = ['--query-gpu=index,uuid,name,memory.total', '--format=csv,noheader,nounits'];

/**
 * The GPUs that nvidia-smi lists, of them those that CUDA_VISIBLE_DEVICES shows, in its order. Without nvidia-smi (as in some
 * containers) whatever that variable names is taken to be there. None where neither says anything.
 */
export async function findGpus(env: Environment = process.env): Promise<Gpu[]> {
  const visible = visibleGpus(env);
  if (visible === '') return [];
  return selectGpus(parseGpus(await askNvidiaSmi(env)), visible);
}

/** What nvidia-smi printed, nothing when it is absent, fails or does not answer in time. */
function askNvidiaSmi(env: Environment): Promise<string> {
  return new Promise((resolve) => {
    execFile('nvidia-smi', QUERY, { env, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' }, (error, stdout) =>
      resolve(error === null ? stdout : ''),
    );
  });
}

/** A GPU as nvidia-smi lists it. */
export interface ListedGpu {
  index: string;
  uuid: string;
  name: string;
  memoryMiB: number | undefined;
}

/** Reads `index, uuid, name, memory` lines; what does not look like one is no GPU. */
export function parseGpus(csv: string): ListedGpu[] {
  return csv.split('\n').flatMap((line) => {
    const [index, uuid, ...rest] = line.split(',').map((field) => field.trim());
    if (index === undefined || !/^\d+$/.test(index) || uuid === undefined || rest.length < 2) return [];
    const memory = Number(rest.pop());
    return [{ index, uuid, name: rest.join(', '), memoryMiB: Number.isFinite(memory) && memory > 0 ? memory : undefined }];
  });
}

/**
 * @param visible value of CUDA_VISIBLE_DEVICES; undefined shows all. Its entries are indices or beginnings of UUIDs; at the first
 *   that names no device of the list CUDA stops, except that parts of a GPU (MIG) are in no list.
 */
export function selectGpus(listed: readonly ListedGpu[], visible: string | undefined): Gpu[] {
  const describe = ({ name, memoryMiB }: ListedGpu): Omit<Gpu, 'visible'> => ({
    name,
    ...(memoryMiB !== undefined && { memoryMiB }),
  });
  if (visible === undefined) return listed.map((gpu) => ({ visible: gpu.index, ...describe(gpu) }));
  const chosen: Gpu[] = [];
  for (const entry of visible.split(',')) {
    const gpu = listed.find(({ index, uuid }) => index === entry || (entry.startsWith('GPU-') && uuid.startsWith(entry)));
    if (gpu === undefined && listed.length > 0 && !entry.startsWith('MIG-')) break;
    chosen.push({ visible: entry, ...(gpu && describe(gpu)) });
  }
  return chosen;
}

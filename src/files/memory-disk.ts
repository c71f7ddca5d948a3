import type { Clock } from '../clock/clock.ts';
import type { Random } from '../random/random.ts';

/** Content, however many names it has. */
export class FileNode {
  content: Buffer = Buffer.alloc(0);
  /** Bytes of it that outlast a crash. */
  synced = 0;
  mtimeMs: number;

  constructor(now: number) {
    this.mtimeMs = now;
  }
}

/** Names, as every process sees them and as a crash leaves them at least. */
export class FolderNode {
  names = new Map<string, DiskNode>();
  kept = new Map<string, DiskNode>();
}

export type DiskNode = FileNode | FolderNode;

/** A name that was given or, without a node, taken away. */
interface Change {
  /** Number of the operation: those of one operation outlast a crash together. */
  operation: number;
  folder: FolderNode;
  name: string;
  node: DiskNode | undefined;
  at: number;
}

/** What is older has been written to the disk by the kernel, synced or not: Linux does so after 30 s at the latest. */
const WRITE_BACK_MS = 30_000;

/** The disk under {@link MemoryFiles}, which describes what a crash does to it. */
export class MemoryDisk {
  readonly root: FolderNode;
  readonly #clock: Pick<Clock, 'now'>;
  /** Oldest first. */
  #unsynced: Change[] = [];
  #operations = 0;
  #names = 0;
  #crashed = false;

  constructor(clock: Pick<Clock, 'now'>, root = new FolderNode()) {
    this.#clock = clock;
    this.root = root;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  now(): number {
    return this.#clock.now();
  }

  uniqueName(): string {
    return `unique-${(this.#names += 1)}`;
  }

  /** One operation: gives or takes away names. */
  change(...changes: [folder: FolderNode, name: string, node: DiskNode | undefined][]): void {
    const at = this.now();
    const written = this.#unsynced.findIndex((change) => change.at > at - WRITE_BACK_MS);
    for (const change of this.#unsynced.splice(0, written < 0 ? this.#unsynced.length : written)) keep(change);
    const operation = (this.#operations += 1);
    for (const [folder, name, node] of changes) {
      set(folder.names, name, node);
      this.#unsynced.push({ operation, folder, name, node, at });
    }
  }

  /** @param way - the folders from the root to the one to sync, with the name of each in the one before */
  syncFolder(way: readonly { folder: FolderNode; name: string }[]): void {
    const synced = way.at(-1)!.folder;
    const leadsThere = ({ folder, name }: Change): boolean =>
      way.some((step, i) => step.folder === folder && way[i + 1]?.name === name);
    this.#unsynced = this.#unsynced.filter((change) => {
      if (change.folder !== synced && !leadsThere(change)) return true;
      keep(change);
      return false;
    });
  }

  /** What is left of the disk after a crash; this one is gone. */
  crash(random: Random): MemoryDisk {
    this.#crashed = true;
    const survival = random.uniform();
    const written = this.now() - WRITE_BACK_MS;
    let [operation, survives] = [0, false];
    for (const change of this.#unsynced) {
      if (change.operation !== operation) [operation, survives] = [change.operation, random.uniform() < survival];
      if (survives || change.at <= written) keep(change);
    }
    const found = new Map<DiskNode, DiskNode>();
    const torn = (file: FileNode): FileNode => {
      const left = new FileNode(file.mtimeMs);
      left.content =
        file.mtimeMs <= written || random.uniform() < survival ? Buffer.from(file.content) : tornContent(file, random);
      left.synced = left.content.byteLength;
      return left;
    };
    const leftOf = (folder: FolderNode): FolderNode => {
      const left = new FolderNode();
      found.set(folder, left);
      for (const [name, node] of [...folder.kept].sort(([a], [b]) => (a < b ? -1 : 1))) {
        // Only a file can have several names.
        if (node instanceof FolderNode && found.has(node)) continue;
        const kept = found.get(node) ?? (node instanceof FileNode ? torn(node) : leftOf(node));
        found.set(node, kept);
        left.names.set(name, kept);
      }
      left.kept = new Map(left.names);
      return left;
    };
    const disk = new MemoryDisk(this.#clock, leftOf(this.root));
    disk.#names = this.#names;
    return disk;
  }
}

/** Of what was not synced a part, and after it zeros where the length got to the disk and the content did not. */
function tornContent({ content, synced }: FileNode, random: Random): Buffer {
  const whole = synced + random.integer(content.byteLength - synced + 1);
  const length = whole + random.integer(content.byteLength - whole + 1);
  return Buffer.concat([content.subarray(0, whole), Buffer.alloc(length - whole)]);
}

function keep({ folder, name, node }: Change): void {
  set(folder.kept, name, node);
}

function set(names: Map<string, DiskNode>, name: string, node: DiskNode | undefined): void {
  if (node === undefined) names.delete(name);
  else names.set(name, node);
}

import { MillraceError } from '../errors.ts';
import { readTlsFiles, type TlsFiles, type TlsMaterial } from './tls-files.ts';

/** How often the files are looked at. */
const REFRESH_MS = 10_000;

/** Options of {@link openTlsIdentity}. */
export interface TlsIdentityOptions {
  /** Called with what is wrong with changed files; what was read before stays in force. */
  onProblem?: (error: MillraceError) => void;
  /** Called when changed files are in force. */
  onReload?: (material: TlsMaterial) => void;
  /** How often the files are looked at, in ms. Default 10_000. */
  refreshMs?: number;
}

/** The certificate, key and authority of a process, as they are now: files that change are read again. */
export interface TlsIdentity {
  readonly current: TlsMaterial;
  /** Calls `listener` with what is in force after each change, until the function that it returns is called. */
  subscribe(listener: (material: TlsMaterial) => void): () => void;
  /** Looks at the files now. */
  refresh(): void;
  /** Looks at the files no more. */
  close(): void;
}

/** Reads the files, and again when they change. Throws as {@link readTlsFiles} does. The process may end while they are watched. */
export function openTlsIdentity(files: TlsFiles, options: TlsIdentityOptions = {}): TlsIdentity {
  const { onProblem, onReload, refreshMs = REFRESH_MS } = options;
  let current = readTlsFiles(files, Date.now());
  let problem = '';
  const listeners = new Set<(material: TlsMaterial) => void>();
  const refresh = (): void => {
    let next: TlsMaterial;
    try {
      next = readTlsFiles(files, Date.now());
    } catch (thrown) {
      // One file may be new while another is yet to be written: it is told once, and looked at again.
      const error = MillraceError.from(thrown);
      if (error.message !== problem) onProblem?.(error);
      problem = error.message;
      return;
    }
    problem = '';
    if (isSame(next, current)) return;
    current = next;
    for (const listener of listeners) listener(current);
    onReload?.(current);
  };
  const timer = setInterval(refresh, refreshMs);
  timer.unref();
  return {
    get current() {
      return current;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    refresh,
    close: () => clearInterval(timer),
  };
}

const isSame = (a: TlsMaterial, b: TlsMaterial): boolean => a.ca.equals(b.ca) && a.cert.equals(b.cert) && a.key.equals(b.key);

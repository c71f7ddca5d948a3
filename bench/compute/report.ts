import { table } from '../../cluster/cli/table.ts';
import type { Clock, Measured } from './measure.ts';
import { PYTORCH } from './participants.ts';
import type { Kind } from './protocol.ts';

/** A row of `--json`. */
export interface ComputeRow {
  policy: string;
  size: string;
  kind: Kind;
  backend: string;
  medianMs: number;
  /** This backend's time over PyTorch's in the same run; null when PyTorch was not there. */
  ratioToPyTorch: number | null;
}

/** Rows with their ratios. */
export function rowsOf(measured: readonly Measured[], clock: Clock): ComputeRow[] {
  const time = (each: Measured): number => (clock === 'wall' ? each.wallMs : each.cpuMs);
  return measured.map((each) => {
    const { policy, size, kind, backend } = each;
    const peer = measured.find(
      (other) => other.backend === PYTORCH && other.policy === policy && other.size === size && other.kind === kind,
    );
    return { policy, size, kind, backend, medianMs: time(each), ratioToPyTorch: peer ? time(each) / time(peer) : null };
  });
}

/** A line for each policy, size and kind; a column of milliseconds for each backend, and of ratios where there is a peer. */
export function computeTable(rows: readonly ComputeRow[]): string {
  const backends = [...new Set(rows.map(({ backend }) => backend))];
  const ours = rows.some(({ ratioToPyTorch }) => ratioToPyTorch !== null) ? backends.filter((name) => name !== PYTORCH) : [];
  const header = ['POLICY', 'SIZE', 'KIND', ...backends.map((name) => `${name} ms`), ...ours.map((name) => `${name} ratio`)];
  const lines: Record<string, ComputeRow>[] = [];
  for (const row of rows) {
    const line = lines.find((each) => {
      const [first] = Object.values(each);
      return first!.policy === row.policy && first!.size === row.size && first!.kind === row.kind;
    });
    if (line) line[row.backend] = row;
    else lines.push({ [row.backend]: row });
  }
  const cells = lines.map((line) => {
    const [{ policy, size, kind }] = Object.values(line) as [ComputeRow];
    const times = backends.map((name) => milliseconds(line[name]));
    const ratios = ours.map((name) => line[name]?.ratioToPyTorch?.toFixed(2) ?? '');
    return [policy, size, kind, ...times, ...ratios];
  });
  return table(header, cells, { right: header.map((_, index) => index).slice(3) });
}

/** Three digits, and all of those before the point. */
function milliseconds(row: ComputeRow | undefined): string {
  if (row === undefined) return '';
  return row.medianMs >= 100 ? row.medianMs.toFixed(0) : row.medianMs.toPrecision(3);
}

/** One thing that happened in a simulated run. */
export interface TraceEvent {
  /** Position in the run, from 0. */
  index: number;
  /** Virtual milliseconds since the run began. */
  at: number;
  /** Where it happened: a node's id, or `nats`, `store`, `client`, `faults`. */
  lane: string;
  /**
   * What kind of thing, e.g. publish, deliver, ack, nak, kv-put, kv-change, emit, insert, query, link-send, link-receive, link-close,
   * file, crash, start, pause, resume, partition, heal, clock, job, commit, violation.
   */
  kind: string;
  /** One line that a person reads. */
  text: string;
  /** Index of the event that sent what arrives here. */
  from?: number;
  /** Id of the injected fault that this is, or that affected it. */
  fault?: string;
  /** What was sent here never arrives. */
  lost?: boolean;
}

/** A fault that the simulation injected. */
export interface InjectedFault {
  id: string;
  text: string;
  /** Virtual milliseconds since the run began. */
  at: number;
  /** When its effect ends; absent for one that happens at once. */
  untilMs?: number;
}

/** Everything that happened in a simulated run, and how to run it again. */
export interface TraceOfRun {
  seed: number;
  commit: string;
  /** Command that runs it again. */
  command: string;
  outcome: 'passed' | 'failed' | 'inconclusive';
  /** Why it did not pass. */
  reason?: string;
  /** The job that ran, for people. */
  job: string;
  faults: InjectedFault[];
  /** Lanes in the order in which they are shown. */
  lanes: string[];
  /** Event `i` has index `i`. */
  events: TraceEvent[];
}

/** Lane of the injected faults. */
const FAULTS = 'faults';

/** Letters of a column at most; a longer cell moves the rest of its line. */
const WIDEST = 40;
/** Lanes that are named where an event went to more. */
const NAMED = 2;

/** Lane of the message server. */
const NATS = 'nats';

/** Events that {@link formatTrace} prints, not counting faults. */
const SHOWN = 60;

/** The event where an invariant broke first. */
export function violationOf({ events }: TraceOfRun): TraceEvent | undefined {
  return events.find(({ kind }) => kind === 'violation');
}

/**
 * What an event follows from: what sent it, or else the last thing that arrived in its lane before it. A violation that names no event
 * follows from the last one before it, since invariants are checked at each.
 *
 * @returns undefined at the beginning of a chain
 */
function causeOf({ events }: TraceOfRun, { index, lane, kind, from }: TraceEvent): TraceEvent | undefined {
  if (from !== undefined) return from < index ? events[from] : undefined;
  for (let i = index - 1; i >= 0; i -= 1) {
    const earlier = events[i]!;
    if (kind === 'violation' ? earlier.lane !== FAULTS : earlier.lane === lane && earlier.from !== undefined) return earlier;
  }
  return undefined;
}

/** The causes of an event, nearest first, at most `limit`. */
export function causesOf(run: TraceOfRun, event: TraceEvent, limit: number): TraceEvent[] {
  const causes: TraceEvent[] = [];
  for (let cause = causeOf(run, event); cause !== undefined && causes.length < limit; cause = causeOf(run, cause))
    causes.push(cause);
  return causes;
}

/**
 * The events that explain how a run ended, in their order: the violation (or the last event) and its causes, what was lost and what
 * happened in the same lanes shortly before, and every fault.
 *
 * @param limit - how many at most, faults not counted
 */
export function eventsThatMatter(run: TraceOfRun, limit: number): TraceEvent[] {
  const end = violationOf(run) ?? run.events.at(-1);
  if (end === undefined) return [];
  const chosen = new Set([end, ...causesOf(run, end, Math.ceil(limit / 2) - 1)]);
  const add = (most: number, matters: (event: TraceEvent) => boolean): void => {
    for (let i = end.index - 1; i >= 0 && chosen.size < most; i -= 1) {
      const event = run.events[i]!;
      if (event.lane !== FAULTS && matters(event)) chosen.add(event);
    }
  };
  add(Math.ceil(limit * 0.75), ({ lost }) => lost === true);
  // Everything passes through NATS: what does not belong to the chain explains little.
  const lanes = new Set([...chosen].map(({ lane }) => lane).filter((lane) => lane !== NATS));
  add(limit, ({ lane }) => lanes.has(lane));
  for (const event of faultEvents(run)) chosen.add(event);
  return [...chosen].sort((a, b) => a.index - b.index);
}

/** Where faults show: everything in their lane, and the first event of each fault that left none there. */
export function faultEvents({ events }: TraceOfRun): TraceEvent[] {
  const seen = new Set<string>();
  const inLane = events.filter(({ lane }) => lane === FAULTS);
  for (const { fault } of inLane) if (fault !== undefined) seen.add(fault);
  const elsewhere = events.filter(({ lane, fault }) => {
    if (lane === FAULTS || fault === undefined || seen.has(fault)) return false;
    seen.add(fault);
    return true;
  });
  return [...inLane, ...elsewhere].sort((a, b) => a.index - b.index);
}

/**
 * A run as text, for somebody who does not know the code: what broke, the faults, and who sent what to whom. Faults from before the
 * first event that is shown are in the list of faults only.
 *
 * @param options.around - shows every event around the one with this index; by default {@link eventsThatMatter}
 * @param options.last - how many events. Default 60
 */
export function formatTrace(run: TraceOfRun, { around, last = SHOWN }: { around?: number; last?: number } = {}): string {
  const first = around === undefined ? 0 : Math.max(0, around - Math.floor(last / 2));
  const events = around === undefined ? withoutEarlyFaults(eventsThatMatter(run, last)) : run.events.slice(first, first + last);
  const what = around === undefined ? 'What led to the end' : `Around event ${around}`;
  const count = `${events.length} of ${run.events.length} events`;
  return [...summary(run), '', ...faultLines(run), '', `${what} (${count})`, ...eventLines(run, events), ''].join('\n');
}

/** Short name of a fault: F1 is the first of the run. */
export function nameOfFault({ faults }: TraceOfRun, id: string): string {
  const place = faults.findIndex((fault) => fault.id === id);
  return place === -1 ? id : `F${place + 1}`;
}

/** Text of an event; of one that only names a fault by its id, what that fault is. */
export function textOf({ faults }: TraceOfRun, { text, fault }: TraceEvent): string {
  const injected = fault === undefined ? undefined : faults.find(({ id }) => id === fault);
  return injected !== undefined && text.startsWith(injected.id) ? injected.text : text;
}

/** Virtual milliseconds as people read them. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}

function withoutEarlyFaults(events: readonly TraceEvent[]): TraceEvent[] {
  const first = events.findIndex(({ lane, kind }) => lane !== FAULTS || kind === 'violation');
  return events.slice(Math.max(0, first));
}

function summary({ seed, commit, command, outcome, reason, job }: TraceOfRun): string[] {
  return [
    `Seed ${seed} at commit ${commit}: ${outcome.toUpperCase()}${reason === undefined ? '' : `: ${reason}`}`,
    `  job          ${job.trim().replaceAll('\n', `\n${' '.repeat(15)}`)}`,
    `  run it again ${command}`,
  ];
}

function faultLines(run: TraceOfRun): string[] {
  const { faults } = run;
  if (faults.length === 0) return ['No fault was injected.'];
  const until = (untilMs?: number): string => (untilMs === undefined ? '' : ` until ${seconds(untilMs)}`);
  return [
    'Injected faults',
    ...faults.map(
      ({ id, text, at, untilMs }) => `  ${nameOfFault(run, id).padEnd(3)}  ${seconds(at).padStart(10)}${until(untilMs)}  ${text}`,
    ),
  ];
}

/** A line for each event: index, time, lane, where it goes or comes from, kind and text; and how many were left out in between. */
function eventLines(run: TraceOfRun, events: readonly TraceEvent[]): string[] {
  const sentTo = receivers(run);
  const cells = events.map((event) => [
    `${event.kind === 'violation' ? '>>' : '  '}${String(event.index).padStart(6)}`,
    seconds(event.at).padStart(10),
    event.lane,
    route(run, event, sentTo),
    event.kind,
    textOf(run, event) + (event.fault === undefined ? '' : ` [${nameOfFault(run, event.fault)}]`),
  ]);
  const widths = Array.from({ length: 5 }, (_, column) =>
    Math.max(0, ...cells.map((row) => Math.min(WIDEST, row[column]!.length))),
  );
  return cells.flatMap((row, i) => {
    const skipped = i === 0 ? 0 : events[i]!.index - events[i - 1]!.index - 1;
    const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    return skipped > 0 ? [`${' '.repeat(8)}  … ${skipped} more`, line] : [line];
  });
}

/** Arrows to the other lanes where what an event sent arrives, or is lost, by the index of the event. */
function receivers({ events }: TraceOfRun): Map<number, Set<string>> {
  const arrows = new Map<number, Set<string>>();
  for (const { from, lane, lost } of events) {
    if (from === undefined || events[from]?.lane === lane) continue;
    const arrow = `──${lost === true ? 'X' : '>'} ${lane}`;
    const known = arrows.get(from);
    if (known === undefined) arrows.set(from, new Set([arrow]));
    else known.add(arrow);
  }
  return arrows;
}

function route({ events }: TraceOfRun, { index, lane, from, lost }: TraceEvent, sentTo: Map<number, Set<string>>): string {
  const sender = from === undefined ? undefined : events[from];
  const before = sender?.lane === lane ? `after (${sender.index})` : sender && `<── ${sender.lane} (${sender.index})`;
  const to = [...(sentTo.get(index) ?? [])];
  const arrows = to.length > NAMED + 1 ? [...to.slice(0, NAMED), `and ${to.length - NAMED} more`] : to;
  return [...(before === undefined ? [] : [before]), ...(lost === true ? ['──X lost'] : []), ...arrows].join('  ');
}

import { MillraceError } from '../../src/errors.ts';

/** A bound that a figure of the result must keep, e.g. `ratioToRawInsert>=0.8`. */
export interface Gate {
  /** Name of a number in the result. */
  figure: string;
  operator: Operator;
  bound: number;
}

type Operator = '>=' | '<=' | '>' | '<' | '==';

/** A gate beside what was measured. */
export interface GateResult extends Gate {
  /** Undefined when the result lacks the figure: not measured is not kept. */
  measured: number | undefined;
  kept: boolean;
}

const SYNTAX = /^\s*([A-Za-z]\w*)\s*(>=|<=|==|>|<)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*$/;

/** Reads `figure>=bound`; the operator is one of >=, <=, >, < and ==. `invalid_argument` for anything else. */
export function parseGate(text: string): Gate {
  const [, figure, operator, bound] = SYNTAX.exec(text) ?? [];
  if (figure === undefined)
    throw new MillraceError('invalid_argument', `--gate: "${text}" is not a figure, an operator and a number, e.g. lost==0`, {
      field: '--gate',
    });
  return { figure, operator: operator as Operator, bound: Number(bound) };
}

/**
 * The defaults, but those given for the same figure take their place. `invalid_argument` for a figure that is none of `figures`:
 * better before the run than after it.
 */
export function gatesOf(defaults: readonly string[], given: readonly string[], figures: readonly string[]): Gate[] {
  const own = given.map(parseGate);
  const unknown = own.find(({ figure }) => !figures.includes(figure));
  if (unknown)
    throw new MillraceError('invalid_argument', `--gate: "${unknown.figure}" is none of ${figures.join(', ')}`, {
      field: '--gate',
    });
  const replaced = new Set(own.map(({ figure }) => figure));
  return [...defaults.map(parseGate).filter(({ figure }) => !replaced.has(figure)), ...own];
}

const KEPT: Readonly<Record<Operator, (measured: number, bound: number) => boolean>> = {
  '>=': (measured, bound) => measured >= bound,
  '<=': (measured, bound) => measured <= bound,
  '>': (measured, bound) => measured > bound,
  '<': (measured, bound) => measured < bound,
  '==': (measured, bound) => measured === bound,
};

/** Holds every gate against the figures of a result. */
export function checkGates(gates: readonly Gate[], figures: Readonly<Record<string, unknown>>): GateResult[] {
  return gates.map((gate) => {
    const value = figures[gate.figure];
    const measured = typeof value === 'number' ? value : undefined;
    return { ...gate, measured, kept: measured !== undefined && KEPT[gate.operator](measured, gate.bound) };
  });
}

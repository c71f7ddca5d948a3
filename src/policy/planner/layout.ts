/** Names, shapes and initial values of the planner's parameters. */
import { MillraceError } from '../../errors.ts';
import type { Parameters, TensorPlace } from '../policy.ts';
import type { PlannerSpec } from './spec.ts';
import { encoderTensors } from './encoder-layout.ts';
import { toolColumns } from './flatten.ts';
import { Generator } from './generator.ts';
import { dense, type TensorPlan } from './tensor-plan.ts';
import { textWidth } from './width.ts';

/** Deviation of the last layers: small, so that the first policy is near uniform. */
const LAST = 0.01;

/** The tensors of a planner in their order in the flat array. `invalid_argument` when the specification makes no sense. */
export function parameterLayout(spec: PlannerSpec): TensorPlace[] {
  let offset = 0;
  return plans(spec).map(({ name, shape }) => {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    const place = { name, shape, offset, size };
    offset += size;
    return place;
  });
}

/** Length of the flat array. */
export function plannerParameterCount(spec: PlannerSpec): number {
  return parameterLayout(spec).reduce((sum, tensor) => sum + tensor.size, 0);
}

/** Initial values; a function of the specification (with its seed) alone. */
export function initialParameters(spec: PlannerSpec): Parameters {
  const tensors = parameterLayout(spec);
  const values = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.size, 0));
  plans(spec).forEach(({ name, initial }, index) => {
    const { offset, size } = tensors[index]!;
    const target = values.subarray(offset, offset + size);
    if (initial === 'zero') return;
    if (initial === 'one') {
      target.fill(1);
      return;
    }
    const generator = new Generator(spec.seed, name);
    if ('normal' in initial) {
      for (let i = 0; i < size; i++) target[i] = initial.normal * generator.normal();
    } else {
      const bound = Math.sqrt(6 / (initial.glorot[0] + initial.glorot[1]));
      for (let i = 0; i < size; i++) target[i] = bound * (2 * generator.uniform() - 1);
    }
  });
  return { tensors, values };
}

function plans(spec: PlannerSpec): TensorPlan[] {
  check(spec);
  return [...encoderTensors(spec), ...headTensors(spec), ...valueTensors(spec)];
}

/** Parameters of the head, in the order in which fused kernels take them. */
export function headTensors(spec: PlannerSpec): TensorPlan[] {
  const { features, hidden } = spec;
  const width = textWidth(spec);
  const tools = toolColumns(spec).count;
  const tensors = [
    ...dense('item', 2 * width + features.item, hidden),
    ...dense('context', width + hidden + features.state, hidden),
  ];
  tools.forEach((count, arity) => {
    if (count === 0) return;
    tensors.push(...dense(`arity${arity}.context`, hidden, hidden));
    for (let j = 0; j < arity; j++) tensors.push(...dense(`arity${arity}.item${j}`, hidden, hidden, { bias: false }));
    tensors.push(...dense(`arity${arity}.tools`, hidden, count, { initial: { normal: LAST } }));
  });
  if (features.action > 0) {
    tensors.push(
      ...dense('action.hidden1', features.action, hidden),
      ...dense('action.hidden2', hidden, hidden),
      ...dense('action.tools', hidden, spec.tools.length, { initial: { normal: LAST }, bias: false }),
      ...dense('action.linear', features.action, spec.tools.length, { initial: { normal: LAST }, bias: false }),
    );
  }
  return tensors;
}

/** Parameters of the value head; none without one. They come last, so that a policy with a critic contains the one without. */
function valueTensors(spec: PlannerSpec): TensorPlan[] {
  if (!spec.value) return [];
  const { features, hidden } = spec;
  return [
    ...dense('value.hidden1', 2 * textWidth(spec) + features.state + features.item, hidden),
    ...dense('value.hidden2', hidden, hidden),
    ...dense('value.out', hidden, 1, { initial: { normal: LAST } }),
  ];
}

function check(spec: PlannerSpec): void {
  const { text, features, hidden, tools } = spec;
  const invalid = (field: string, message: string) =>
    new MillraceError('invalid_argument', `policy specification: ${field} ${message}`, { field });
  const sizes: [string, number, number][] = [
    ['text.buckets', text.buckets, 2],
    ['text.embed', text.embed, 1],
    ['text.width', text.width, 1],
    ['text.layers', text.layers, 1],
    ['text.maxLength', text.maxLength, 1],
    ['hidden', hidden, 1],
    ['features.state', features.state, 0],
    ['features.item', features.item, 0],
    ['features.action', features.action, 0],
  ];
  for (const [field, value, least] of sizes) {
    if (!Number.isInteger(value) || value < least) throw invalid(field, `must be an integer of at least ${least}, got ${value}`);
  }
  if (tools.length === 0) throw invalid('tools', 'must name at least one tool');
  if (text.encoder === 'gru' && text.width % 2 !== 0) throw invalid('text.width', `must be even for a gru, got ${text.width}`);
}

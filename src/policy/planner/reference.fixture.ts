/** The bag planner in plain numbers, straight from the formulas in network.ts: what the fast one is compared with. */
import type { Observation } from './observation.ts';
import type { PlannerSpec } from './spec.ts';
import { parameterLayout } from './layout.ts';

type Vector = number[];

/** log-probabilities of one situation. */
export function referenceLogProbabilities(
  spec: PlannerSpec,
  values: Float32Array,
  { texts, observation }: { texts: readonly Int32Array[]; observation: Observation },
  temperature: number,
): Vector {
  const tensors = new Map(parameterLayout(spec).map((tensor) => [tensor.name, tensor]));
  const row = (name: string, index: number): Vector => {
    const { offset, shape } = tensors.get(name)!;
    return [...values.subarray(offset + index * shape[1]!, offset + (index + 1) * shape[1]!)];
  };
  const layer = (name: string, x: Vector): Vector => {
    const bias = tensors.get(`${name}.bias`);
    const columns = tensors.get(`${name}.weight`)!.shape[1]!;
    const out = Array.from({ length: columns }, (_, j) => (bias ? values[bias.offset + j]! : 0));
    x.forEach((input, i) => row(`${name}.weight`, i).forEach((w, j) => (out[j]! += input * w)));
    return out;
  };
  const tanh = (x: Vector): Vector => x.map(Math.tanh);
  const mean = (vectors: Vector[], width: number): Vector =>
    Array.from({ length: width }, (_, j) => vectors.reduce((sum, vector) => sum + vector[j]!, 0) / Math.max(1, vectors.length));
  const zeros = new Array<number>(spec.text.embed).fill(0);
  const tokens = (text: number): number[] => (text < 0 ? [] : [...texts[text]!].slice(0, spec.text.maxLength));
  const embed = (token: number): Vector => row('text.embedding', token);
  const encode = (text: number): Vector => mean(tokens(text).map(embed), spec.text.embed);

  const whole = tokens(observation.text);
  const items = observation.items.map(({ text, at, flags }) =>
    tanh(layer('item', [...encode(text), ...(at >= 0 && at < whole.length ? embed(whole[at]!) : zeros), ...flags])),
  );
  const context = tanh(layer('context', [...encode(observation.text), ...mean(items, spec.hidden), ...observation.flags]));
  const scores = observation.actions.map(({ tool, args, flags }) => {
    const { arity } = spec.tools[tool]!;
    const column = spec.tools.slice(0, tool).filter((other) => other.arity === arity).length;
    const parts = [
      layer(`arity${arity}.context`, context),
      ...args.map((arg, j) => layer(`arity${arity}.item${j}`, items[arg]!)),
    ];
    const tuple = tanh(parts.reduce((sum, part) => sum.map((value, i) => value + part[i]!)));
    let score = layer(`arity${arity}.tools`, tuple)[column]!;
    if (spec.features.action > 0) {
      const hidden = tanh(layer('action.hidden2', tanh(layer('action.hidden1', [...flags]))));
      score += layer('action.tools', hidden)[tool]! + layer('action.linear', [...flags])[tool]!;
    }
    return score / temperature;
  });
  const largest = Math.max(...scores);
  const normalizer = largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
  return scores.map((score) => score - normalizer);
}

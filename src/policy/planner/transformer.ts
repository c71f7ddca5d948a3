/** A pre-norm transformer encoder over the distinct texts; tokens of all texts lie one after the other, nothing is padded. */
import * as tf from '@tensorflow/tfjs-core';
import { hasKernel, isRecording, layerNorm, numbered, runKernel } from '../../compute/fused.ts';
import type { PlannerSpec } from './spec.ts';
import { FEED_FORWARD, transformerLayer } from './encoder-layout.ts';
import { dense, indices, take, weight, type TensorMap } from './ops.ts';
import type { FlatTexts } from './texts.ts';
import { attentionHeads } from './width.ts';

/** States of all tokens, [tokens, width]. `embedded` is [tokens, embed]. */
export function transformerStates(spec: PlannerSpec, weights: TensorMap, embedded: tf.Tensor2D, texts: FlatTexts): tf.Tensor2D {
  const position = new Int32Array(texts.tokens.length);
  for (let i = 0; i < position.length; i++) position[i] = i - texts.start[texts.textOf[i]!]!;
  const positions = take(weight<tf.Tensor2D>(weights, 'text.position'), indices(position));
  let x = tf.add<tf.Tensor2D>(dense(weights, 'text.input', embedded), positions);
  x = hasKernel('TransformerLayers') ? fusedLayers(spec, weights, x, texts) : composedLayers(spec, weights, x, texts);
  return norm(weights, 'text.norm', x);
}

function composedLayers(spec: PlannerSpec, weights: TensorMap, x: tf.Tensor2D, texts: FlatTexts): tf.Tensor2D {
  const heads = attentionHeads(spec.text.width);
  for (let layer = 0; layer < spec.text.layers; layer++) {
    const name = `text.layer${layer}`;
    const qkv = dense(weights, `${name}.qkv`, norm(weights, `${name}.norm1`, x));
    x = tf.add(x, dense(weights, `${name}.out`, attention(qkv, texts, heads)));
    const inner = dense(weights, `${name}.feed1`, norm(weights, `${name}.norm2`, x), 'relu');
    x = tf.add(x, dense(weights, `${name}.feed2`, inner));
  }
  return x;
}

/** All layers in one kernel each way: a few texts at a time go through them, so that what lies between stays near. */
function fusedLayers(spec: PlannerSpec, weights: TensorMap, x: tf.Tensor2D, texts: FlatTexts): tf.Tensor2D {
  const parameters = Array.from({ length: spec.text.layers }, (_, layer) =>
    transformerLayer(`text.layer${layer}`, spec.text.width).map(({ name }) => weight(weights, name)),
  ).flat();
  const attrs = { heads: attentionHeads(spec.text.width), inner: FEED_FORWARD * spec.text.width };
  const op = tf.customGrad((...args) => {
    const save = args.pop() as tf.GradSaveFunc;
    const [x, ...own] = args as tf.Tensor[];
    const starts = indices(texts.start);
    const [y, trace] = runKernel<tf.Tensor[]>(
      'TransformerLayers',
      { x: x!, starts, ...numbered(own) },
      {
        ...attrs,
        keep: isRecording(),
      },
    );
    save([trace!, starts, x!, ...own]);
    return {
      value: y!,
      gradFunc: (dy: tf.Tensor, [trace, starts, x, ...own]: tf.Tensor[]) =>
        runKernel<tf.Tensor[]>('TransformerLayersGrad', { dy, x: x!, trace: trace!, starts: starts!, ...numbered(own) }, attrs),
    };
  });
  return op(x, ...parameters) as tf.Tensor2D;
}

function norm(weights: TensorMap, name: string, x: tf.Tensor2D): tf.Tensor2D {
  return layerNorm(x, weight<tf.Tensor1D>(weights, `${name}.gain`), weight<tf.Tensor1D>(weights, `${name}.bias`));
}

function attention(qkv: tf.Tensor2D, texts: FlatTexts, heads: number): tf.Tensor2D {
  return hasKernel('RaggedAttention') ? fusedAttention(qkv, texts, heads) : composedAttention(qkv, texts, heads);
}

function fusedAttention(qkv: tf.Tensor2D, texts: FlatTexts, heads: number): tf.Tensor2D {
  const op = tf.customGrad((...args) => {
    const [input, save] = args as [tf.Tensor, tf.GradSaveFunc];
    const starts = indices(texts.start);
    const [out, probabilities] = tf.engine().runKernel('RaggedAttention', { qkv: input, starts }, { heads }) as tf.Tensor[];
    save([input, probabilities!, starts]);
    return {
      value: out!,
      gradFunc: (dy: tf.Tensor, [qkv, probabilities, starts]: tf.Tensor[]) =>
        tf
          .engine()
          .runKernel(
            'RaggedAttentionGrad',
            { dy, qkv: qkv!, probabilities: probabilities!, starts: starts! },
            { heads },
          ) as tf.Tensor,
    };
  });
  return op(qkv) as tf.Tensor2D;
}

/** The same from ordinary operations on padded texts, for backends without the fused kernels. */
function composedAttention(qkv: tf.Tensor2D, texts: FlatTexts, heads: number): tf.Tensor2D {
  const { count, longest: L, start, textOf, tokens } = texts;
  const width = qkv.shape[1] / 3;
  const place = new Int32Array(count * L);
  const mask = new Float32Array(count * L).fill(-1e9);
  for (let i = 0; i < tokens.length; i++) {
    const slot = textOf[i]! * L + i - start[textOf[i]!]!;
    place[slot] = i;
    mask[slot] = 0;
  }
  const back = Int32Array.from(tokens, (_, i) => textOf[i]! * L + i - start[textOf[i]!]!);
  const padded = take(qkv, indices(place));
  const split = (k: number): tf.Tensor => {
    const columns = tf.slice2d(padded, [0, k * width], [count * L, width]);
    return tf.transpose(tf.reshape(columns, [count, L, heads, width / heads]), [0, 2, 1, 3]);
  };
  const scores = tf.mul(tf.matMul(split(0), split(1), false, true), 1 / Math.sqrt(width / heads));
  const probabilities = tf.softmax(tf.add(scores, tf.tensor4d(mask, [count, 1, 1, L])));
  const mixed = tf.transpose(tf.matMul(probabilities, split(2)), [0, 2, 1, 3]);
  return take(tf.reshape(mixed, [count * L, width]) as tf.Tensor2D, indices(back));
}

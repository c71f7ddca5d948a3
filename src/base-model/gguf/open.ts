import { MillraceError } from '../../errors.ts';
import { openGguf, type GgufFile } from '../../tensor-files/gguf.ts';
import { baseModel, type BaseModel } from '../base-model.ts';
import { createChatTemplate } from '../chat/template.ts';
import { layoutOf, type ModelConfig } from '../config.ts';
import { Fields } from '../fields.ts';
import { checkTensors } from '../tensors.ts';
import { createTokenizer } from '../tokenizer.ts';
import { configOf } from './config.ts';
import { ggufName, unpermuted } from './names.ts';
import { tokenizerOf } from './tokenizer.ts';

const ROPE_FACTORS = 'rope_freqs.weight';
/** Half of the largest head there is. */
const MOST_ROPE_FACTORS = 1 << 12;

/** Opens a GGUF file. Throws as `openBaseModel` does. */
export async function openGgufModel(path: string): Promise<BaseModel> {
  const file = await openGguf(path);
  try {
    const fields = new Fields(Object.fromEntries(file.metadata), path);
    const config = configOf(fields, file, await ropeFactors(file));
    checkWeights(file, config);
    const { json, settings } = tokenizerOf(fields);
    const templateSource = fields.get('tokenizer.chat_template') ?? '';
    if (typeof templateSource !== 'string') throw fields.wrong('tokenizer.chat_template', 'a text');
    const tokens = fields.strings('tokenizer.ggml.tokens');
    const stops = ['eos', 'eot', 'eom'].map((name) => fields.number(`tokenizer.ggml.${name}_token_id`, -1));
    const stopTokens = [...new Set(stops)].filter((id) => id >= 0 && id < tokens.length).sort((a, b) => a - b);
    return baseModel({
      ...{ path, config, tokenizerJson: json, templateSource, stopTokens },
      tokenizer: createTokenizer(json, settings, { path, vocabulary: config.vocabulary }),
      chatTemplate: templateSource === '' ? undefined : createChatTemplate(templateSource, settings, path),
      read: (name) => readTensor(file, config, name),
      weightFiles: [path],
      close: () => file.close(),
    });
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function ropeFactors(file: GgufFile): Promise<number[] | undefined> {
  const entry = file.entries.get(ROPE_FACTORS);
  if (entry === undefined) return undefined;
  if (entry.shape.length !== 1 || entry.shape[0]! > MOST_ROPE_FACTORS) {
    throw new MillraceError('data_loss', `${file.name}: tensor ${ROPE_FACTORS} has shape [${entry.shape.join(', ')}]`);
  }
  return [...(await file.read(entry))];
}

function checkWeights(file: GgufFile, config: ModelConfig): void {
  const layout = layoutOf(config).map(({ name, shape }) => ({ name: ggufName(name), shape }));
  checkTensors(layout, file.entries, { path: file.name, ignored: (name) => name === ROPE_FACTORS });
}

async function readTensor(file: GgufFile, config: ModelConfig, name: string): Promise<Float32Array> {
  const values = await file.read(file.entries.get(ggufName(name))!);
  if (config.family !== 'llama') return values;
  if (name.includes('.q_proj.')) return unpermuted(values, config.heads, config.headSize);
  return name.includes('.k_proj.') ? unpermuted(values, config.kvHeads, config.headSize) : values;
}

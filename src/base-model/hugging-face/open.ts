import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';
import { baseModel, type BaseModel } from '../base-model.ts';
import { createChatTemplate } from '../chat/template.ts';
import { createTokenizer } from '../tokenizer.ts';
import { configOf } from './config.ts';
import { readJson, readOptionalJson, readOptionalText, type Json } from './json-file.ts';
import { openWeights } from './weights.ts';

/** Most bytes that these files may have; those of real models are a tenth. */
const LARGEST = { config: 1 << 20, tokenizer: 1 << 27, template: 1 << 20 };

/** Opens a folder in the layout of Hugging Face. Throws as `openBaseModel` does. */
export async function openFolder(folder: string): Promise<BaseModel> {
  const file = (name: string): string => join(folder, name);
  const json = await readJson(file('config.json'), LARGEST.config);
  const config = configOf(json, file('config.json'));
  const tokenizerJson = await readJson(file('tokenizer.json'), LARGEST.tokenizer);
  const settings = (await readOptionalJson(file('tokenizer_config.json'), LARGEST.tokenizer)) ?? {};
  const generation = (await readOptionalJson(file('generation_config.json'), LARGEST.config)) ?? {};
  const tokenizer = createTokenizer(tokenizerJson, settings, { path: file('tokenizer.json'), vocabulary: config.vocabulary });
  const specials = specialTokens(settings);
  const templateSource = (await readOptionalText(file('chat_template.jinja'), LARGEST.template)) ?? templateOf(settings);
  const stops = [json['eos_token_id'], generation['eos_token_id'], tokenizer.idOf(specials['eos_token'] ?? '')].flat();
  const stopTokens = [...new Set(stops)].filter((id): id is number => Number.isInteger(id)).sort((a, b) => a - b);
  const chatTemplate = templateSource === '' ? undefined : createChatTemplate(templateSource, specials, folder);
  const weights = await openWeights(folder, config);
  return baseModel({
    ...{ path: folder, config, tokenizer, tokenizerJson, chatTemplate, templateSource, stopTokens },
    read: (name) => weights.read(name),
    weightFiles: weights.files,
    close: () => weights.close(),
  });
}

/** Texts of special tokens: older files have an object with the text as `content`. */
function specialTokens(settings: Json): Record<string, string> {
  const entries = ['bos_token', 'eos_token', 'unk_token', 'pad_token'].map((name): [string, unknown] => {
    const value = settings[name] as { content?: unknown } | string | null | undefined;
    return [name, typeof value === 'object' && value !== null ? value.content : value];
  });
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** Template in `tokenizer_config.json`: one, or several with names, of which `default` is for conversations. */
function templateOf(settings: Json): string {
  const stored = settings['chat_template'] ?? '';
  if (typeof stored === 'string') return stored;
  const list = Array.isArray(stored) ? (stored as { name?: unknown; template?: unknown }[]) : [];
  const template = list.find(({ name }) => name === 'default')?.template;
  if (typeof template === 'string') return template;
  throw new MillraceError(
    'data_loss',
    'tokenizer_config.json: chat_template is neither a text nor a list with one named default',
  );
}

/**
 * SentencePiece's models of kind BPE: pieces with scores, of which the pair with the best score is merged first, and bytes for what there is no
 * piece for. Source: `SentencePieceExtractor` and `LlamaConverter` of transformers (convert_slow_tokenizer.py).
 */
import type { Fields } from '../fields.ts';

const SPACE = '\u2581';
/** Longer pieces are not cut in two: real ones have at most 64 characters. */
const LONGEST_PIECE = 256;

/** The parts of a `tokenizer.json` that follow from pieces and scores. */
export function sentencePieceModel(fields: Fields, tokens: readonly string[]): object {
  const scores = fields.numbers('tokenizer.ggml.scores');
  if (scores.length !== tokens.length) throw fields.wrong('tokenizer.ggml.scores', `${tokens.length} numbers`);
  const ids = new Map<string, number>();
  tokens.forEach((token, id) => ids.has(token) || ids.set(token, id));
  const prefix = fields.boolean('tokenizer.ggml.add_space_prefix', true);
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: SPACE };
  const unknown = tokens[fields.number('tokenizer.ggml.unknown_token_id', 0)] ?? null;
  return {
    normalizer: { type: 'Sequence', normalizers: [...(prefix ? [{ type: 'Prepend', prepend: SPACE }] : []), replace] },
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      ...{ type: 'BPE', unk_token: unknown, fuse_unk: true, byte_fallback: true },
      vocab: Object.fromEntries(ids),
      merges: mergesOf(tokens, scores, ids),
    },
  };
}

interface Merge {
  left: string;
  right: string;
  score: number;
}

/** Every pair of pieces whose text is a piece, the best score first. */
function mergesOf(tokens: readonly string[], scores: readonly number[], ids: ReadonlyMap<string, number>): [string, string][] {
  const merges: Merge[] = [];
  tokens.forEach((token, id) => {
    const letters = [...token.slice(0, LONGEST_PIECE)];
    if (letters.join('') !== token) return;
    for (let cut = 1; cut < letters.length; cut++) {
      const [left, right] = [letters.slice(0, cut).join(''), letters.slice(cut).join('')];
      if (ids.has(left) && ids.has(right)) merges.push({ left, right, score: scores[id]! });
    }
  });
  merges.sort((a, b) => b.score - a.score || b.left.length - a.left.length || b.right.length - a.right.length);
  return merges.map(({ left, right }) => [left, right]);
}

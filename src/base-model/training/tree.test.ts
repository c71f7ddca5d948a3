import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenTree } from './tree.ts';

describe('a tree of tokens', () => {
  it('computes shared beginnings once', () => {
    const tree = new TokenTree();
    tree.add([1, 2], [3, 4], 0);
    tree.add([1, 2], [3, 4], 1);
    tree.add([1, 2], [5, 4], 1);
    expect(tree.rows).toBe(4);
    expect(tree.layout()).toEqual({
      branches: [{ tokens: [1, 2] }, { tokens: [3], after: 0 }, { tokens: [5], after: 0 }],
      targets: [
        { row: 1, token: 3 },
        { row: 2, token: 4 },
        { row: 3, token: 4 },
      ],
    });
  });

  it('says what came before each target, whatever texts there are', () => {
    const text = fc.array(fc.nat(2), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 8 }), (texts) => {
        const tree = new TokenTree();
        const asked = texts.flatMap(([prompt, tokens]) => tokens.map((_, index) => ({ prompt, tokens, index })));
        for (const { prompt, tokens, index } of asked) tree.add(prompt, tokens, index);
        const { branches, targets } = tree.layout();
        // The text that ends with each row.
        const rows: string[] = [];
        const ends: string[] = [];
        branches.forEach(({ tokens, after }, branch) => {
          let before = after === undefined ? '' : ends[after]!;
          for (const token of tokens) rows.push((before += token));
          ends[branch] = before;
        });
        expect(rows).toHaveLength(tree.rows);
        expect(new Set(rows).size).toBe(rows.length);
        asked.forEach(({ prompt, tokens, index }, i) => {
          expect(rows[targets[i]!.row]).toBe([...prompt, ...tokens.slice(0, index)].join(''));
          expect(targets[i]!.token).toBe(tokens[index]);
        });
      }),
    );
  });
});

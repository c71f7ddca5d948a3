import { MillraceError } from '../../errors.ts';
import type { TextTokenizer } from '../tokenizer.ts';
import type { Constraint, ConstraintState } from './constraint.ts';

/** A place in the tree of the choices' tokens. */
interface Node {
  children: Map<number, Node>;
  isWhole: boolean;
}

/**
 * One of several texts, written with the tokens that the tokenizer makes of it. Where one begins another, a stop token says that the shorter one is
 * meant. `invalid_argument` when there are none, or when one is empty.
 */
export function choiceOf(choices: readonly string[], tokenizer: Pick<TextTokenizer, 'encode'>): Constraint {
  const invalid = (message: string) => new MillraceError('invalid_argument', message, { field: 'choices' });
  if (choices.length === 0) throw invalid('choices: there are none');
  const root: Node = { children: new Map(), isWhole: false };
  for (const [index, text] of choices.entries()) {
    const ids = tokenizer.encode(text, { special: false });
    if (ids.length === 0) throw invalid(`choices[${index}] is empty`);
    let node = root;
    for (const id of ids) {
      let child = node.children.get(id);
      if (!child) node.children.set(id, (child = { children: new Map(), isWhole: false }));
      node = child;
    }
    node.isWhole = true;
  }
  return { start: stateOf(root) };
}

function stateOf({ children, isWhole }: Node): ConstraintState {
  return {
    allowed: Uint32Array.from(children.keys()).sort(),
    mayEnd: isWhole,
    next(token) {
      const child = children.get(token);
      if (child) return stateOf(child);
      throw new MillraceError('invalid_argument', `the choices do not go on with token ${token}`, { field: 'constraint' });
    },
  };
}

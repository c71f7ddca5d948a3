import { MillraceError } from '../../errors.ts';

/** What may be written, token by token. The same for everybody who makes it of the same description and tokenizer. */
export interface Constraint {
  /** Before the first token. */
  readonly start: ConstraintState;
}

/** A place in a constrained text. States do not change. */
export interface ConstraintState {
  /** Ids of the tokens that may come next, ascending; none where the text is over. */
  readonly allowed: Uint32Array;
  /** Whether the text may end here: a stop token may come, too. */
  readonly mayEnd: boolean;
  /** After one of the allowed tokens. */
  next(token: number): ConstraintState;
}

/** Tokens that may come next, ascending: those of the constraint and, where the text may end, the stop tokens. */
export function tokensAt({ allowed, mayEnd }: ConstraintState, stopTokens: readonly number[]): Uint32Array {
  return mayEnd ? Uint32Array.from(new Set([...allowed, ...stopTokens])).sort() : allowed;
}

/**
 * For each token of a constrained text the tokens that it was drawn from: what a learner masks logits with. `invalid_argument` when a token was not
 * allowed.
 */
export function masksOf(constraint: Constraint, tokens: readonly number[], stopTokens: readonly number[]): Uint32Array[] {
  let state = constraint.start;
  return tokens.map((token, index) => {
    const allowed = tokensAt(state, stopTokens);
    if (!allowed.includes(token)) {
      throw new MillraceError('invalid_argument', `tokens[${index}]: the constraint does not allow token ${token} there`, {
        field: `tokens[${index}]`,
      });
    }
    const isStop = state.mayEnd && !state.allowed.includes(token);
    if (!isStop) state = state.next(token);
    else if (index < tokens.length - 1) {
      throw new MillraceError('invalid_argument', `tokens[${index + 1}]: the text is over before it`, {
        field: `tokens[${index + 1}]`,
      });
    }
    return allowed;
  });
}

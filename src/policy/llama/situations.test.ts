import { describe, expect, it } from 'vitest';
import { generated } from '../decision.ts';
import type { Plan } from '../plan.ts';
import { LlamaSituations, type ReadingBase } from './situations.ts';
import { planText } from '../plan-text.ts';

/** A tokenizer with a token for each character, and a format that shows who says what. */
const STOP = 3;
const letters = (text: string): number[] => [...text].map((letter) => letter.codePointAt(0)!);
const base: ReadingBase = {
  tokenizer: { encode: letters },
  stopTokens: [STOP],
  format: {
    prompt: ({ messages }) => messages.map(({ role, content }) => `${role[0]!}:${content}|`).join(''),
    continuation({ messages }, ended) {
      const after = messages.slice(messages.findLastIndex(({ role }) => role === 'assistant') + 1);
      return `${ended ? '' : '|'}${after.map(({ role, content }) => `${role[0]!}:${content}|`).join('')}`;
    },
  },
};
const said = (table: LlamaSituations, situation: number): string => String.fromCodePoint(...table.prompt(situation));
const plan = (content: string): Plan => ({
  items: [],
  actions: [],
  conversation: { messages: [{ role: 'user', content }], tools: [] },
});

describe('what a language model reads', () => {
  it('grows by what it wrote and what is new, as tokens', () => {
    const table = new LlamaSituations(base, { tools: [] });
    const first = table.add(plan('hi'));
    expect(said(table, first)).toBe('u:hi|');
    const written = { tokens: [...letters('CALL'), STOP], logProbabilities: [], finish: 'stop' as const };
    const decision = generated(written, { text: 'CALL', calls: [{ tool: 'look', arguments: {} }] });
    const messages = [
      { role: 'user' as const, content: 'another text than before' },
      { role: 'assistant' as const, text: 'CALL', content: '', calls: [] },
      { role: 'tool' as const, tool: 'look', content: 'red' },
    ];
    const turn = { situation: first, decision, result: 'red', error: false };
    const second = table.add({ ...plan(''), conversation: { messages, tools: [] } }, turn);
    expect(said(table, second)).toBe('u:hi|CALL\u0003t:red|');
    expect(table.add({ ...plan(''), conversation: { messages, tools: [] } }, turn)).toBe(second);
  });

  it('has what a tool answered before the next plan, where that is no conversation', () => {
    const table = new LlamaSituations(base, { tools: [] });
    const step = (text: string): Plan => ({ text, items: [], actions: [{ tool: 'look' }] });
    const first = table.add(step('one'));
    const cut = generated(
      { tokens: letters('CALL'), logProbabilities: [], finish: 'length' },
      { text: 'CALL', calls: [{ tool: 'look', arguments: {} }] },
    );
    const second = table.add(step('two'), { situation: first, decision: cut, result: 'red', error: false });
    expect(said(table, second)).toBe('u:one\nPossible: look|CALL|t:red|u:two\nPossible: look|');
  });
});

describe('a plan in words', () => {
  it('has its text, features, items and actions', () => {
    const text = planText({
      text: 'Which?',
      flags: { late: true, left: 3, never: 0 },
      items: [{ text: 'a tin', flags: { heavy: true } }, { flags: { old: false } }],
      actions: [{ tool: 'look' }, { tool: 'join', items: [0, 1], flags: { cost: 2 } }],
    });
    expect(text).toBe('Which?\nlate\nleft 3\n[0] a tin, heavy\n[1]\nPossible: look; join ([0], [1], cost 2)');
  });
});

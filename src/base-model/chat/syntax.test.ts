import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bare, tagged, type ToolSyntax } from './syntax.ts';

const name = fc.stringMatching(/^[a-zA-Z][\w.-]{0,15}$/);
/** As JSON keeps it. */
const args = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value)) as object);
const calls = fc.array(
  fc.record({
    tool: name,
    arguments: fc.oneof(args, fc.constantFrom({ text: '</tool_call> <tool_call> </think>' }, { a: { b: ['"}', '\\'] } })),
  }),
  { maxLength: 4 },
);
const content = fc
  .string()
  .map((text) => text.trim())
  .filter((text) => !/[<{[]/.test(text));

describe.each<ToolSyntax>([tagged, bare])('$name', (syntax) => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(content, calls, (said, made) => {
        const speech = { content: syntax === bare && made.length > 0 ? '' : said, calls: made };
        expect(syntax.read(syntax.write(speech))).toEqual(speech);
      }),
    );
  });

  it('takes any text', () => {
    const pieces = fc.constantFrom(
      ...[
        '<tool_call>',
        '</tool_call>',
        '<think>',
        '</think>',
        '<|python_tag|>',
        '{"name": "a", ',
        '"arguments": ',
        '"parameters": {"b": ',
      ],
      ...[
        '{',
        '}',
        '[',
        ']',
        '"',
        '\\',
        ';',
        ',',
        ' ',
        '\n',
        'null',
        '1e9',
        '{"name": "t"}',
        '\ud83d',
        '{"__proto__": {"x": 1}}',
      ],
    );
    const garbage = fc.oneof(
      fc.string(),
      fc.array(fc.oneof(pieces, fc.string({ maxLength: 4 })), { maxLength: 30 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(garbage, (text) => {
        const { content: said, calls: read } = syntax.read(text);
        expect(typeof said).toBe('string');
        for (const call of read) expect('tool' in call ? typeof call.tool : typeof call.problem).toBe('string');
      }),
      { numRuns: 500 },
    );
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it('takes long texts in good time', () => {
    const started = performance.now();
    for (const piece of [
      '<tool_call>',
      '</tool_call>',
      '<tool_call>{"name": "a"}',
      '{"name": "a"};',
      '{"a": [',
      '[{"',
      '<tool_call>[[[',
    ])
      syntax.read(piece.repeat(100_000 / piece.length));
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('tagged', () => {
  it.each<[string, string, object]>([
    [
      'lists, as SmolLM2 writes them',
      '<tool_call>[{"name": "a", "arguments": {"b": 1}}, {"name": "c"}]</tool_call>',
      {
        content: '',
        calls: [
          { tool: 'a', arguments: { b: 1 } },
          { tool: 'c', arguments: {} },
        ],
      },
    ],
    ['no call', '<tool_call>[]</tool_call>', { content: '', calls: [] }],
    [
      'a tag that is not closed',
      'Hm.\n<tool_call>\n{"name": "a", "arguments": {}}',
      { content: 'Hm.', calls: [{ tool: 'a', arguments: {} }] },
    ],
    [
      'arguments as a text',
      '<tool_call>{"name": "a", "arguments": "{\\"b\\": 1}"}</tool_call>',
      { content: '', calls: [{ tool: 'a', arguments: { b: 1 } }] },
    ],
    [
      'end tags in arguments',
      '<tool_call>{"name": "a", "arguments": {"b": "</tool_call>"}}</tool_call>!',
      {
        content: '!',
        calls: [{ tool: 'a', arguments: { b: '</tool_call>' } }],
      },
    ],
    ['nothing that is only thought', '<think>I <tool_call>{"name": "a"}</tool_call></think>\nNo.', { content: 'No.', calls: [] }],
    ['a thought that the prompt began', 'so <tool_call>{"name": "a"}</tool_call></think>\nNo.', { content: 'No.', calls: [] }],
    ['a thought without an end', '<think>I <tool_call>{"name": "a"}</tool_call>', { content: '', calls: [] }],
    [
      'what is not JSON',
      '<tool_call>{name: a}</tool_call>',
      { content: '', calls: [{ problem: expect.stringMatching(/^the call is not JSON: Expected [^{]*$/) as string }] },
    ],
    [
      'a call without a name',
      '<tool_call>{"arguments": {}}</tool_call>',
      { content: '', calls: [{ problem: 'a call needs the name of a tool, as a text in the field "name"' }] },
    ],
    [
      'numbers',
      '<tool_call>[7, null, {"name": "a"}]</tool_call>',
      {
        content: '',
        calls: [
          { problem: 'a call is a JSON object with name and arguments, not a number' },
          { problem: 'a call is a JSON object with name and arguments, not null' },
          { tool: 'a', arguments: {} },
        ],
      },
    ],
  ])('reads %s', (_, text, speech) => {
    expect(tagged.read(text)).toEqual(speech);
  });

  it('writes as models have seen it', () => {
    const speech = {
      content: 'Wait.',
      calls: [{ tool: 'a', arguments: { b: [1, 'x'] } }, { problem: 'lost' }, { tool: 'c', arguments: {} }],
    };
    expect(tagged.write(speech)).toBe(
      'Wait.\n<tool_call>\n{"name": "a", "arguments": {"b": [1, "x"]}}\n</tool_call>\n<tool_call>\n{"name": "c", "arguments": {}}\n</tool_call>',
    );
  });
});

describe('bare', () => {
  it.each<[string, string, object]>([
    ['a call', '{"name": "a", "parameters": {"b": 1}}', { content: '', calls: [{ tool: 'a', arguments: { b: 1 } }] }],
    [
      'calls after the tag for Python',
      '<|python_tag|>{"name": "a", "parameters": {}}; {"name": "b", "parameters": {}}',
      {
        content: '',
        calls: [
          { tool: 'a', arguments: {} },
          { tool: 'b', arguments: {} },
        ],
      },
    ],
    ['a list', '[{"name": "a", "arguments": {}}]', { content: '', calls: [{ tool: 'a', arguments: {} }] }],
    ['an answer', 'It is {"name": "a"}.', { content: 'It is {"name": "a"}.', calls: [] }],
    ['an answer in JSON', '{"total": 5}', { content: '{"total": 5}', calls: [] }],
    [
      'a call that is cut',
      '{"name": "a", "parameters": {"b"',
      { content: '', calls: [{ problem: expect.stringContaining('not JSON') as string }] },
    ],
    [
      'a call of Python',
      '<|python_tag|>search.call(query="x")',
      { content: '', calls: [{ problem: expect.stringContaining('not JSON') as string }] },
    ],
    [
      'a name that is no text',
      '{"name": 1, "parameters": {}}',
      { content: '', calls: [{ problem: expect.stringContaining('"name"') as string }] },
    ],
  ])('reads %s', (_, text, speech) => {
    expect(bare.read(text)).toEqual(speech);
  });
});

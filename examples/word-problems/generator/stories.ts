import { chain, difference, leftShared, product, quotient, shared, sum, threeStep } from './numbers.ts';

/**
 * What made-up problems tell. {N} a name, {P} its pronoun, {M} another name, {T} things, {U} other things, {h}/{H} one or
 * many holders, {L} a place, {a} … {d} numbers. A story is a list of sentences, each with its ways of saying it.
 */
export type Story = readonly (readonly string[])[];

/** A kind of problem: how its numbers hang together, and its stories. */
export interface Kind {
  name: string;
  /** Draws the numbers; `within(low, high)` is a whole number. */
  numbers(within: (low: number, high: number) => number): { a: number; b: number; c?: number; d?: number; answer: number };
  stories: readonly Story[];
}

const HAS = [
  '{N} has {a} {T} .',
  'In the cellar {N} keeps {a} {T} .',
  '{N} counted {a} {T} at {L} .',
  'There were {a} {T} in the {h} of {N} .',
] as const;
const GETS = [
  '{P} finds {b} more .',
  '{M} brings {b} further {T} along .',
  'On Sunday {b} {T} are added .',
  '{P} buys another {b} {T} from {M} .',
] as const;
const GIVES = [
  '{P} gives {b} of them to {M} .',
  '{b} of the {T} get lost on the way .',
  'Then {M} borrows {b} {T} .',
  '{P} sells {b} {T} at {L} .',
] as const;
const NOW = [
  'How many {T} does {N} have now ?',
  'How many {T} are there in the end ?',
  'What is the number of {T} after that ?',
] as const;
const EACH = ['How many {T} are in each {h} ?', 'How many {T} go into one {h} ?', 'What does every {h} hold ?'] as const;
const ALTOGETHER = [
  'How many {T} is that altogether ?',
  'How many {T} are there in all ?',
  'What is the total number of {T} ?',
] as const;

export const KINDS: readonly Kind[] = [
  {
    name: 'a + b',
    numbers: (within) => sum(within(2, 90), within(2, 60)),
    stories: [
      [HAS, GETS, NOW],
      [
        ['Before noon {N} counted {a} {T} .', 'On Monday {N} sorted {a} {T} .'],
        ['{M} counted {b} more in the afternoon .', 'On Tuesday it was {b} .'],
        ALTOGETHER,
      ],
      [
        ['{N} has {b} fewer {T} than {M} .', '{M} owns {b} {T} more than {N} does .'],
        ['{N} has {a} {T} .'],
        ['How many {T} does {M} have ?'],
      ],
    ],
  },
  {
    name: 'a - b',
    numbers: (within) => difference(within(3, 60), within(2, 60)),
    stories: [
      [HAS, GIVES, ['How many {T} are left ?', 'How many {T} does {N} still have ?', 'How many {T} remain with {N} ?']],
      [
        ['{L} ordered {a} {T} .', '{N} wants to collect {a} {T} .'],
        ['{b} have come so far .', '{b} are there already .'],
        ['How many are missing ?', 'How many {T} are still needed ?'],
      ],
      [
        ['{N} carried {a} {T} and {M} carried {b} .', '{a} {T} belong to {N} , {b} to {M} .'],
        ['How many more {T} are that for {N} than for {M} ?', 'By how many {T} is {N} ahead ?'],
      ],
    ],
  },
  {
    name: 'a * b',
    numbers: (within) => product(within(2, 12), within(3, 25)),
    stories: [
      [
        [
          '{N} fills {a} {H} with {b} {T} each .',
          'At {L} stand {a} {H} , and every {h} holds {b} {T} .',
          '{a} {H} came in , each with {b} {T} inside .',
        ],
        ALTOGETHER,
      ],
      [
        ['One of the {T} costs {b} coins .', 'For a single piece of the {T} {M} asks {b} coins .'],
        ['{N} takes {a} of them .', '{N} would like {a} .'],
        ['How many coins does {N} pay ?', 'What is the price of all of them ?'],
      ],
      [
        ['Every day {N} makes {b} {T} .', '{N} can finish {b} {T} in a day .'],
        ['How many {T} are done after {a} days ?', 'How many {T} does {N} make in {a} days ?'],
      ],
    ],
  },
  {
    name: 'a / b',
    numbers: (within) => quotient(within(2, 20), within(2, 12)),
    stories: [
      [['{N} spreads {a} {T} evenly over {b} {H} .', '{a} {T} are packed into {b} {H} , the same number in each .'], EACH],
      [
        ['{a} {T} wait at {L} .', '{N} must carry {a} {T} .'],
        ['A {h} takes {b} {T} .', '{b} {T} fit into a {h} .'],
        ['How many {H} are needed ?', 'How many {H} will {N} fill ?'],
      ],
      [
        ['{b} friends share {a} {T} fairly .', '{a} {T} are shared by {b} children at {L} .'],
        ['How many does each of them get ?', 'How many {T} is that for everyone ?'],
      ],
    ],
  },
  {
    name: 'a + b - c',
    numbers: (within) =>
      chain(
        within(5, 60),
        within(5, 40),
        (a, b) => within(2, a + b - 1),
        (a, b, c) => a + b - c,
      ),
    stories: [
      [HAS, GETS, ['Later {c} {T} break .', '{P} leaves {c} of them at {L} .', 'In the evening {P} hands {c} to {M} .'], NOW],
      [
        ['{N} brought {a} {T} and {M} brought {b} .'],
        ['The guests at {L} took {c} .', '{c} {T} were used up .'],
        ['How many {T} are left over ?', 'How many {T} were not used ?'],
      ],
    ],
  },
  {
    name: 'a - b + c',
    numbers: (within) =>
      chain(
        within(20, 90),
        within(3, 19),
        () => within(2, 40),
        (a, b, c) => a - b + c,
      ),
    stories: [
      [
        HAS,
        GIVES,
        ['After that {P} gets {c} new ones .', 'A week later {M} returns with {c} other {T} .', 'Then {c} {T} arrive by post .'],
        NOW,
      ],
    ],
  },
  {
    name: 'a - b - c',
    numbers: (within) =>
      chain(
        within(40, 99),
        within(3, 20),
        () => within(2, 19),
        (a, b, c) => a - b - c,
      ),
    stories: [
      [
        HAS,
        GIVES,
        ['{c} more go to {L} .', 'The next day {P} throws {c} away .', 'Then {c} of the rest are eaten by mice .'],
        ['How many {T} are left ?', 'How many {T} does {N} still have ?'],
      ],
    ],
  },
  {
    name: 'a * b + c',
    numbers: (within) =>
      chain(
        within(2, 9),
        within(3, 20),
        () => within(2, 30),
        (a, b, c) => a * b + c,
      ),
    stories: [
      [
        ['{N} owns {a} {H} with {b} {T} in each .', 'In {a} {H} there are {b} {T} each .'],
        ['{c} {T} lie loose on the table .', 'Besides , {N} has {c} single {T} .'],
        ALTOGETHER,
      ],
      [
        ['{N} earns {b} coins an hour at {L} .'],
        ['This week {N} worked {a} hours and found {c} coins in the street .', '{P} works {a} hours and gets {c} coins on top .'],
        ['How many coins does {N} have then ?'],
      ],
    ],
  },
  {
    name: '(a + b) / c',
    numbers: (within) => shared(within(2, 15), within(2, 9), (total) => within(1, total - 1)),
    stories: [
      [
        ['{N} has {a} {T} and {M} has {b} .', '{a} {T} come from {N} , {b} from {M} .'],
        ['They put everything into {c} {H} , equally many in each .', 'All of it is divided among {c} {H} .'],
        EACH,
      ],
      [
        ['{a} boys and {b} girls want to go to {L} .', 'At {L} wait {a} women and {b} men .'],
        ['One boat takes {c} people .', 'A table seats {c} of them .'],
        ['How many are needed for everyone ?'],
      ],
    ],
  },
  {
    name: '(a - b) / c',
    numbers: (within) => leftShared(within(2, 12), within(2, 9), () => within(2, 30)),
    stories: [
      [HAS, GIVES, ['{P} puts the rest into {c} {H} , equally many in each .', 'What is left goes into {c} {H} evenly .'], EACH],
    ],
  },
  {
    name: '(a + b) * c',
    numbers: (within) =>
      chain(
        within(2, 15),
        within(2, 15),
        () => within(2, 9),
        (a, b, c) => (a + b) * c,
      ),
    stories: [
      [
        ['Every {h} holds {a} {T} and {b} {U} .', 'In each {h} {N} puts {a} {T} and {b} {U} .'],
        ['There are {c} such {H} .', '{N} makes {c} {H} of that kind .'],
        ['How many things are that in all ?', 'How many {T} and {U} are needed ?'],
      ],
    ],
  },
  {
    name: '(a - b) * c',
    numbers: (within) =>
      chain(
        within(10, 30),
        within(2, 9),
        () => within(2, 9),
        (a, b, c) => (a - b) * c,
      ),
    stories: [
      [
        ['{N} brought {a} {T} to {L} .', '{N} made {a} {T} last week .'],
        ['{b} of them got wet .', '{b} could not be used .', '{P} kept {b} of them .'],
        ['The others sell for {c} coins each .', 'For every one of the rest {M} pays {c} coins .'],
        ['How many coins does {N} get ?', 'How much money is that ?'],
      ],
    ],
  },
  {
    name: '(a + b - c) / d',
    numbers: (within) =>
      threeStep(
        within(2, 9),
        within(2, 6),
        () => within(2, 15),
        (most) => within(1, most),
      ),
    stories: [
      [
        ['{N} has {a} {T} and gets {b} more .', '{a} {T} and {b} others stand at {L} .'],
        ['{c} are broken .', '{M} takes {c} of them .'],
        ['The rest is packed into {d} {H} , the same number in each .', '{M} divides what is left among {d} {H} .'],
        EACH,
      ],
    ],
  },
];

/** Sentences with a number that has nothing to do with the question. */
export const ASIDES = [
  '{M} is {x} years old .',
  '{M} has {x} {U} .',
  'It takes {x} minutes to get to {L} .',
  '{x} {U} lie on the floor .',
] as const;

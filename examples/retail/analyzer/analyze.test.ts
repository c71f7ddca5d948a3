import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { home, office, tinyWorld } from '../test-support.ts';
import { analyze, countRequests, type Clause } from './analyze.ts';

const world = tinyWorld();
const quoted = (record: object): string =>
  `{${Object.entries(record)
    .map(([name, value]) => `'${name}': '${value}'`)
    .join(', ')}}`;

function only(message: string): Clause {
  const { clauses } = analyze(message, world);
  expect(clauses).toHaveLength(1);
  return clauses[0]!;
}

describe('the header', () => {
  it.each([
    ['Your name is Ann Roe and your zip code is 74101. You are calm, busy.', { firstName: 'Ann', lastName: 'Roe', zip: '74101' }],
    [
      'Your name is Ann Roe and your email is ann@example.org. You are calm.',
      { firstName: 'Ann', lastName: 'Roe', email: 'ann@example.org' },
    ],
    ['hi, this is Zoë Ek-Li, postal code 74101!', { firstName: 'Zoë', lastName: 'Ek-Li', zip: '74101' }],
    ['I am in a hurry. Thanks, Ann Roe, zip: 74101', { firstName: 'Ann', lastName: 'Roe', zip: '74101' }],
    ['Cancel #W12345, I am done with it. My email is a.b+c@mail.example.org.', { email: 'a.b+c@mail.example.org' }],
    [`Ship #W1 to ${quoted(home)}.`, {}],
  ])('of %j', (message, header) => {
    expect(analyze(message, world).header).toEqual(header);
  });
});

describe('clauses', () => {
  it('are cut where the next order is named, though a list of items has no full stop', () => {
    const { clauses } = analyze(
      "Your name is Ann Roe and your zip code is 74101. Return #W2 via paypal_1: Mug; Red Lamp; For #W1, modify Mug {'glaze': 'blue'} to {'glaze': 'white'}; Red Lamp {} to {}; via gift_card_1. Cancel order #W5 because ordered by mistake. ",
      world,
    );
    expect(clauses.map((clause) => clause.slots)).toEqual([
      { orderId: '#W2', items: [{ name: 'Mug' }, { name: 'Red Lamp' }], payment: { by: 'id', id: 'paypal_1' } },
      {
        orderId: '#W1',
        items: [
          { name: 'Mug', from: { glaze: 'blue' }, to: { glaze: 'white' } },
          { name: 'Red Lamp', from: {}, to: {} },
        ],
        payment: { by: 'id', id: 'gift_card_1' },
      },
      { orderId: '#W5', items: [], reason: 'ordered by mistake' },
    ]);
    expect(clauses[1]!.text).toBe('For #W1, modify Mug to ; Red Lamp to ; via gift_card_1.');
  });

  it('keep an order that is only mentioned in brackets out', () => {
    const message = `For #W1, change address to ${quoted({ order_id: '#W1', ...office })} (same as #W2). Cancel #W5, I no longer need it.`;
    const { clauses } = analyze(message, world);
    expect(clauses.map((clause) => clause.slots.orderId)).toEqual(['#W1', '#W5']);
    expect(clauses[0]!.slots.address).toEqual(office);
  });

  it('take later sentences and lines along, but not who the customer is', () => {
    const clause = only(
      'Please\n- send the Mug of #W2 back.\nThe money should go to my gift card! This is Ann Roe, ann@example.org.',
    );
    expect(clause.slots).toEqual({ orderId: '#W2', items: [{ name: 'Mug' }], payment: { by: 'source', source: 'gift_card' } });
    expect(clause.text).toBe('- send the Mug of #W2 back. The money should go to my gift card!');
  });

  it('are also changes of the address in the profile, which name no order', () => {
    for (const words of ['Change my default address to', 'Change address to', 'My account address should become']) {
      expect(only(`I am Ann Roe. ${words} ${quoted(office)}.`).slots).toEqual({ items: [], address: office });
    }
    expect(analyze('I am Ann Roe. My address is fine.', world).clauses).toEqual([]);
  });

  it('are counted alike without the world', () => {
    const message = `Cancel #W1. Then #W2: return the Mug; refund PayPal. Update my address to ${quoted(office)}. Thanks!`;
    expect(countRequests(message)).toBe(3);
    expect(analyze(message, world).clauses).toHaveLength(3);
  });

  it('never fail, whatever is written', () => {
    const word = fc.constantFrom(
      '#W1',
      'Mug',
      '(',
      ')',
      '{',
      '}',
      "'",
      ':',
      ',',
      '. ',
      '; ',
      'address',
      'my',
      'zip',
      '74101',
      'PayPal',
      '\n',
      'a@b.c',
    );
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const message = words.join(' ');
        const { clauses } = analyze(message, world);
        expect(clauses).toHaveLength(countRequests(message));
        for (const { text } of clauses) expect(text).not.toMatch(/[(){}[\]]/);
      }),
    );
  });
});

describe('slots', () => {
  it('tell which piece is meant from what it should become', () => {
    expect(
      only('In #W1 swap Red Lamp (size: S, plug: EU) for one with (size: L) and Mug to (glaze: white), my PayPal pays.').slots,
    ).toEqual({
      orderId: '#W1',
      items: [
        { name: 'Red Lamp', from: { size: 'S', plug: 'EU' }, to: { size: 'L' } },
        { name: 'Mug', to: { glaze: 'white' } },
      ],
      payment: { by: 'source', source: 'paypal' },
    });
  });

  it('do not find products inside other words', () => {
    expect(only('Return Mugs and Mug-Trees from #W2; refund PayPal.').slots.items).toEqual([{ name: 'Mug' }]);
  });

  it.each([
    ['Charge #W1 to credit_card_1.', { by: 'id', id: 'credit_card_1' }],
    ['Charge #W1 to my gift card instead of gift_card_1.', { by: 'id', id: 'gift_card_1' }],
    ['Charge #W1 to the visa ending in 4321.', { by: 'source', source: 'credit_card', lastFour: '4321' }],
    ['Charge #W1 to my credit card.', { by: 'source', source: 'credit_card' }],
    ['Return the Mug of #W2, refund the original payment method.', { by: 'original' }],
    ['Cancel #W1.', undefined],
  ])('read the payment of %j', (message, payment) => {
    expect(only(message).slots.payment).toEqual(payment);
  });

  it.each([
    ['Cancel #W1, it was a mistake.', 'ordered by mistake'],
    ['Cancel #W1. I bought it by accident.', 'ordered by mistake'],
    ["Cancel #W1. I don't need it.", 'no longer needed'],
    ['Cancel #W1 because no longer needed, though it was no mistake.', 'no longer needed'],
    ['Cancel #W1.', undefined],
  ])('read the reason of %j', (message, reason) => {
    expect(only(message).slots.reason).toBe(reason);
  });

  it('read addresses in prose and by reference', () => {
    expect(only('Send #W1 to 9 Crane Street, Unit 4, Tulsa, OK 74110 instead.').slots.address).toEqual(office);
    expect(only('Send #W1 to 1 Fern Street, Tulsa, OK 74101, USA.').slots.address).toEqual(home);
    expect(only('Send #W1 to the address in my profile.').slots.address).toBe('profile');
    expect(only('#W1 goes to the wrong place. It belongs at my default address.').slots.address).toBe('profile');
  });
});

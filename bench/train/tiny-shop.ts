/** For the tests of this folder only: a shop in which everything that can go wrong does, and customers who ask for it. */
import type { Json } from '../../src/flow/define.ts';
import { tinyWorld } from '../../examples/retail/test-support.ts';
import type { Order } from '../../examples/retail/world/records.ts';
import type { Records } from '../../examples/retail/world/world.ts';
import type { Random } from '../../src/random/random.ts';

/** The small shop of examples/retail with more orders: items twice, unusual payments, two gift cards, an unknown product. */
export function tinyShop(): Records {
  const { users, products, orders } = tinyWorld();
  const [lamp, mug] = orders['#W1']!.items;
  const order = (order_id: string, extra: Partial<Order>): [string, Order] => [
    order_id,
    structuredClone({ ...orders['#W1']!, order_id, ...extra }),
  ];
  const paid = (amount: number, payment_method_id: string) => ({
    transaction_type: 'payment' as const,
    amount,
    payment_method_id,
  });
  const twice = [lamp!, mug!, { ...mug! }, { ...mug!, item_id: '202', price: 6.2, options: { glaze: 'white' } }];
  const gone = { ...mug!, name: 'Kettle', product_id: '99', item_id: '901' };
  const ann = users['ann_roe_1']!;
  const lamps = products['10']!;
  // Of two that look alike only one can be had; of another kind none can.
  const more = {
    '105': { item_id: '105', options: { size: 'L', plug: 'UK' }, available: true, price: 27 },
    '106': { item_id: '106', options: { size: 'XL', plug: 'UK' }, available: false, price: 29 },
  };
  // Its name is part of another one's.
  const bare = { name: 'Lamp', product_id: '30', variants: {} };
  const gift = { source: 'gift_card', id: 'gift_card_2', balance: 500.1 } as const;
  return {
    users: { ...users, ann_roe_1: { ...ann, payment_methods: { ...ann.payment_methods, gift_card_2: gift } } },
    products: { ...products, '10': { ...lamps, variants: { ...lamps.variants, ...more } }, '30': bare },
    orders: {
      ...orders,
      ...Object.fromEntries([
        order('#W6', { items: twice }),
        order('#W7', { items: twice, status: 'delivered' }),
        order('#W8', { items: [lamp!, gone], payment_history: [] }),
        order('#W9', { items: [lamp!, gone], status: 'delivered', payment_history: [] }),
        order('#W10', { payment_history: [paid(20.05, 'gift_card_2'), paid(8.45, 'credit_card_1')] }),
        order('#W11', { payment_history: [paid(28.5, 'gift_card_2')], items: [mug!, { ...mug! }] }),
        order('#W12', { status: 'cancelled' }),
      ]),
    },
  };
}

const ORDERS = Array.from({ length: 14 }, (_, number) => `#W${number}`);
const METHODS = ['gift_card_1', 'gift_card_2', 'credit_card_1', 'credit_card_2', 'paypal_1', 'paypal_2', ''];
/** An item and what might replace it. */
const SWAPS = [
  ['201', '202'],
  ['201', '202'],
  ['202', '201'],
  ['101', '102'],
  ['101', '104'],
  ['101', '103'],
  ['101', '101'],
  ['901', '202'],
] as const;
const ITEMS = ['101', '102', '103', '104', '201', '202', '901', '999'];

/** A call of a tool of the shop: often right, sometimes wrong in a way that its schema or the tool must notice. */
export function anyCall(random: Random): { name: string; arguments: Record<string, Json> } {
  const some = <T>(list: readonly T[]): T => list[random.integer(list.length)]!;
  const items = (): Json =>
    random.uniform() < 0.03 ? some([[], 'x', [1]]) : Array.from({ length: 1 + random.integer(3) }, () => some(ITEMS));
  const address = { address1: '2 Oak', address2: '', city: 'Reno', country: 'USA', state: 'NV', zip: '89501' };
  const given: Record<string, Json> = { order_id: some(ORDERS), ...(random.uniform() < 0.03 ? { order_id: some(['', 7]) } : {}) };
  const payment_method_id = some(METHODS);
  switch (random.integer(8)) {
    case 0:
      return {
        name: 'cancel_pending_order',
        arguments: { ...given, reason: some(['no longer needed', 'ordered by mistake', 'else']) },
      };
    case 1:
      return {
        name: 'modify_pending_order_address',
        arguments: { ...given, ...address, ...(random.uniform() < 0.1 && { zip: 1 }) },
      };
    case 2:
      return { name: 'modify_pending_order_payment', arguments: { ...given, payment_method_id } };
    case 3:
      if (random.uniform() < 0.7) given['order_id'] = some(['#W2', '#W7', '#W9']);
      return { name: 'return_delivered_order_items', arguments: { ...given, item_ids: items(), payment_method_id } };
    case 4: {
      const user_id = some(['ann_roe_1', 'bo_li_2', 'nobody']);
      return { name: 'modify_user_address', arguments: { user_id, ...address, more: 'dropped' } };
    }
    case 5:
      return { name: some(['get_order_details', 'calculate', 'nothing']), arguments: given };
    default: {
      const name = some(['modify_pending_order_items', 'exchange_delivered_order_items']);
      if (random.uniform() < 0.2)
        return { name, arguments: { ...given, item_ids: items(), new_item_ids: items(), payment_method_id } };
      const swaps = Array.from({ length: 1 + random.integer(2) }, () => some(SWAPS));
      const order_id = some(name.startsWith('modify') ? ['#W5', '#W6', '#W11', '#W8'] : ['#W2', '#W7', '#W9']);
      const [item_ids, new_item_ids] = [swaps.map(([old]) => old), swaps.map(([, other]) => other)];
      return { name, arguments: { order_id, item_ids, new_item_ids, payment_method_id } };
    }
  }
}

/** What can be done, in ways that are hard to tell from others that cannot. */
const SOUND = [
  'In #W5 change Red Lamp (size: S) to (size: L, plug: UK), via paypal_1.',
  'In #W2 exchange Red Lamp to (plug: UK, size: L), the card ending in 4321.',
  'In #W6 change Mug to (glaze: white) and Mug (glaze: blue) to (glaze: white), with my profile: gift_card_2.',
  'Return Mug and Mug of #W7, the original payment method.',
];

/** Messages to the tiny shop, with calls that need not have to do with them. */
export function tinyTasks(random: Random, count: number) {
  const some = <T>(list: readonly T[]): T => list[random.integer(list.length)]!;
  const what = [
    'Mug',
    'Mug (glaze: blue)',
    'Red Lamp',
    'Red Lamp (size: S)',
    'Kettle',
    'Mug and Mug',
    'Red Lamp, Mug (glaze: white)',
    'Chair',
  ];
  const wanted = [
    'to (glaze: white)',
    'to (size: L)',
    'to (size: L, plug: UK)',
    'to (size: XL, plug: UK)',
    'to (plug: UK)',
    'to (glaze: red)',
    'to ()',
    '',
  ];
  const how = [
    'via paypal_1',
    'with my gift card',
    'by credit card',
    'the card ending in 4321',
    'paid with PayPal',
    'the original payment method',
    'via gift_card_2',
    '',
  ];
  const why = ['no longer needed', 'ordered by mistake', ''];
  const where = ['to 2 Oak Street, Reno, NV 89501', 'to the address of my profile', 'to no address'];
  const who = [
    'My name is Ann Roe, email ann@example.org',
    'I am Ann Roe, zip code 74101',
    'I am Bo Li, zip code 74110',
    'Mail: eve@example.org',
    'Ann here, ann@example.org',
  ];
  return Array.from({ length: count }, (_, number) => {
    const request = (): string => {
      const order = some(random.uniform() < 0.5 ? ORDERS : ['#W2', '#W5', '#W6', '#W7']);
      switch (random.integer(6)) {
        case 0:
          return `Cancel ${order}, ${some(why)}.`;
        case 1:
          return `Send ${order} ${some(where)}.`;
        case 2:
          return `Charge ${order} ${some(how)}.`;
        case 3:
          return `Send my ${some(['address', 'profile'])} ${some(where)}.`;
        case 4:
          return `From ${some(['#W2', '#W7', '#W9'])} return ${some(what)}, ${some(how)}.`;
        default:
          return `In ${order} change ${some(what)} ${some(wanted)}, ${some(how)}.`;
      }
    };
    const odd = Array.from({ length: random.integer(4) }, request).join(' ');
    const sender = number % 5 === 0 ? who[0]! : some(who);
    const requests = number % 5 === 0 ? some(SOUND) : odd;
    const actions = Array.from({ length: random.integer(3) }, () => anyCall(random));
    return { id: `tiny-${number}`, user_id: `customer-${number}`, instruction: `${sender}. ${requests}`, actions };
  });
}

import { ToolError } from 'millrace';
import { describe, expect, it } from 'vitest';
import { home, office, tinyWorld } from '../test-support.ts';
import { Database } from '../world/database.ts';
import { callTool, shopTools } from './index.ts';

function open(): { database: Database; call: (name: string, input: unknown) => unknown; balance: () => number } {
  const database = new Database(tinyWorld());
  return {
    database,
    call: (name, input) => callTool(name, input, database),
    balance: () => {
      const card = database.user('ann_roe_1')!.payment_methods['gift_card_1']!;
      return card.source === 'gift_card' ? card.balance : NaN;
    },
  };
}

/** The call must fail and leave the database as it was. */
function refused(
  name: string,
  input: unknown,
  why: RegExp,
  before?: (call: (name: string, input: unknown) => unknown) => void,
): void {
  const { database, call } = open();
  before?.(call);
  const changes = database.changes();
  expect(() => call(name, input)).toThrow(ToolError);
  expect(() => call(name, input)).toThrow(why);
  expect(database.changes()).toEqual(changes);
}

describe('the tools of the shop', () => {
  it('are sixteen, each described', () => {
    expect(Object.keys(shopTools)).toHaveLength(16);
    for (const tool of Object.values(shopTools)) expect(tool.description.length).toBeGreaterThan(20);
  });

  it('refuse unknown tools and arguments that do not fit', () => {
    refused('constructor', {}, /no tool/);
    refused('get_order_details', { order_id: 7 }, /order_id/);
    refused('get_order_details', { order_id: '#W99' }, /#W99/);
    refused('get_order_details', { order_id: 'constructor' }, /constructor/);
    refused('get_product_details', { product_id: '101' }, /101/);
    refused('get_user_details', { user_id: '__proto__' }, /__proto__/);
  });
});

describe('finding customers', () => {
  it('goes by e-mail or by name and zip code, whatever the case', () => {
    const { call } = open();
    expect(call('find_user_id_by_email', { email: 'Ann@Example.org' })).toBe('ann_roe_1');
    expect(call('find_user_id_by_name_zip', { first_name: 'ann', last_name: 'ROE', zip: '74101' })).toBe('ann_roe_1');
  });

  it('fails for strangers', () => {
    refused('find_user_id_by_email', { email: 'cy@example.org' }, /Nobody/);
    refused('find_user_id_by_name_zip', { first_name: 'Ann', last_name: 'Roe', zip: '74110' }, /Nobody/);
  });
});

describe('cancelling', () => {
  it('refunds each payment the way it came, gift cards at once', () => {
    const { database, call, balance } = open();
    call('cancel_pending_order', { order_id: '#W1', reason: 'no longer needed' });
    const order = database.order('#W1')!;
    expect(order).toMatchObject({ status: 'cancelled', cancel_reason: 'no longer needed' });
    expect(order.payment_history[1]).toEqual({ transaction_type: 'refund', amount: 28.5, payment_method_id: 'gift_card_1' });
    expect(balance()).toBe(38.5);
  });

  it('needs a pending order and one of the two reasons', () => {
    refused('cancel_pending_order', { order_id: '#W2', reason: 'no longer needed' }, /delivered/);
    refused('cancel_pending_order', { order_id: '#W3', reason: 'no longer needed' }, /processed/);
    refused('cancel_pending_order', { order_id: '#W1', reason: 'bored' }, /reason/);
  });
});

describe('changing the items of a pending order', () => {
  const swap = { order_id: '#W5', item_ids: ['101'], new_item_ids: ['102'], payment_method_id: 'credit_card_2' };

  it('replaces them, books the difference and locks the order', () => {
    const { database, call, balance } = open();
    call('modify_pending_order_items', { ...swap, payment_method_id: 'gift_card_1' });
    const order = database.order('#W5')!;
    expect(order.items[0]).toMatchObject({ item_id: '102', price: 26.1, options: { size: 'L', plug: 'EU' } });
    expect(order.status).toBe('pending (item modified)');
    expect(order.payment_history[1]).toEqual({ transaction_type: 'payment', amount: 6.1, payment_method_id: 'gift_card_1' });
    expect(balance()).toBe(3.9);
  });

  it('pays a negative difference back', () => {
    const { database, call, balance } = open();
    call('modify_pending_order_items', { ...swap, item_ids: ['201'], new_item_ids: ['202'], payment_method_id: 'gift_card_1' });
    expect(database.order('#W5')!.payment_history[1]).toEqual({
      transaction_type: 'refund',
      amount: 2.3,
      payment_method_id: 'gift_card_1',
    });
    expect(balance()).toBe(12.3);
  });

  it('is possible once; nothing else is possible afterwards', () => {
    const lock = (call: (name: string, input: unknown) => unknown): void => void call('modify_pending_order_items', swap);
    refused('modify_pending_order_items', { ...swap, item_ids: ['201'], new_item_ids: ['202'] }, /item modified/, lock);
    refused('modify_pending_order_address', { order_id: '#W5', ...office }, /item modified/, lock);
    refused('modify_pending_order_payment', { order_id: '#W5', payment_method_id: 'paypal_1' }, /item modified/, lock);
    refused('cancel_pending_order', { order_id: '#W5', reason: 'no longer needed' }, /item modified/, lock);
  });

  it('needs items of the order, available variants and a sufficient payment method', () => {
    refused('modify_pending_order_items', { ...swap, order_id: '#W2' }, /delivered/);
    refused('modify_pending_order_items', { ...swap, item_ids: ['999'] }, /999/);
    refused('modify_pending_order_items', { ...swap, item_ids: ['101', '101'], new_item_ids: ['102', '102'] }, /1 times, not 2/);
    refused('modify_pending_order_items', { ...swap, new_item_ids: ['102', '202'] }, /replaced by 2/);
    refused('modify_pending_order_items', { ...swap, new_item_ids: ['202'] }, /not a variant/);
    refused('modify_pending_order_items', { ...swap, new_item_ids: ['103'] }, /not available/);
    refused('modify_pending_order_items', { ...swap, payment_method_id: 'paypal_9' }, /paypal_9/);
    refused('modify_pending_order_items', { ...swap, new_item_ids: ['104'], payment_method_id: 'gift_card_1' }, /cover/);
  });
});

describe('changing the payment of a pending order', () => {
  it('charges the new method and refunds the old one', () => {
    const { database, call, balance } = open();
    call('modify_pending_order_payment', { order_id: '#W1', payment_method_id: 'paypal_1' });
    expect(database.order('#W1')!.payment_history.slice(1)).toEqual([
      { transaction_type: 'payment', amount: 28.5, payment_method_id: 'paypal_1' },
      { transaction_type: 'refund', amount: 28.5, payment_method_id: 'gift_card_1' },
    ]);
    expect(balance()).toBe(38.5);
    expect(database.order('#W1')!.status).toBe('pending');
  });

  it('needs another method of the customer that covers the total, and an order paid once', () => {
    refused('modify_pending_order_payment', { order_id: '#W5', payment_method_id: 'credit_card_1' }, /already/);
    refused('modify_pending_order_payment', { order_id: '#W5', payment_method_id: 'gift_card_1' }, /cover/);
    refused('modify_pending_order_payment', { order_id: '#W5', payment_method_id: 'gift_card_7' }, /no payment method/);
    refused('modify_pending_order_payment', { order_id: '#W3', payment_method_id: 'paypal_1' }, /processed/);
    refused('modify_pending_order_payment', { order_id: '#W1', payment_method_id: 'paypal_1' }, /one payment/, (call) => {
      call('modify_pending_order_payment', { order_id: '#W1', payment_method_id: 'credit_card_1' });
    });
  });
});

describe('addresses', () => {
  it('change for a pending order or for the profile, each without the other', () => {
    const { database, call } = open();
    call('modify_pending_order_address', { order_id: '#W1', ...office });
    expect(database.order('#W1')!.address).toEqual(office);
    expect(database.user('ann_roe_1')!.address).toEqual(home);
    call('modify_user_address', { user_id: 'ann_roe_1', ...office });
    expect(database.user('ann_roe_1')!.address).toEqual(office);
    expect(database.order('#W5')!.address).toEqual(home);
  });

  it('do not change for orders that left', () => {
    refused('modify_pending_order_address', { order_id: '#W3', ...office }, /processed/);
    refused('modify_user_address', { user_id: 'cy', ...office }, /cy/);
  });
});

describe('delivered orders', () => {
  it('are returned to the original payment method or a gift card, once', () => {
    const { database, call } = open();
    const input = { order_id: '#W2', item_ids: ['201', '101'], payment_method_id: 'gift_card_1' };
    call('return_delivered_order_items', input);
    expect(database.order('#W2')).toMatchObject({
      status: 'return requested',
      return_items: ['101', '201'],
      return_payment_method_id: 'gift_card_1',
    });
    expect(() => call('return_delivered_order_items', input)).toThrow(/return requested/);
    refused('return_delivered_order_items', { ...input, payment_method_id: 'credit_card_2' }, /gift card/);
    refused('return_delivered_order_items', { ...input, order_id: '#W1' }, /pending/);
    refused('return_delivered_order_items', { ...input, item_ids: ['101', '101'] }, /times/);
  });

  it('are exchanged against available variants, with the difference noted', () => {
    const { database, call, balance } = open();
    const input = { order_id: '#W2', item_ids: ['101', '201'], new_item_ids: ['102', '202'], payment_method_id: 'gift_card_1' };
    call('exchange_delivered_order_items', input);
    expect(database.order('#W2')).toMatchObject({
      status: 'exchange requested',
      exchange_items: ['101', '201'],
      exchange_new_items: ['102', '202'],
      exchange_price_difference: 3.8,
    });
    expect(balance()).toBe(10);
    refused('exchange_delivered_order_items', { ...input, order_id: '#W1' }, /pending/);
    refused('exchange_delivered_order_items', { ...input, new_item_ids: ['103', '202'] }, /not available/);
    refused('exchange_delivered_order_items', { ...input, new_item_ids: ['104', '202'] }, /cover/);
  });
});

describe('tools that change nothing', () => {
  it('list the products by name', () => {
    expect(open().call('list_all_product_types', {})).toEqual({ Mug: '20', 'Red Lamp': '10' });
  });

  it('calculate', () => {
    const { call } = open();
    expect(call('calculate', { expression: '2 + 3 * (4 - 1) / -2' })).toBe('-2.50');
    for (const expression of ['2 +', '(1', '1 / 0', '1 2', 'process.exit()', '2 ** 3']) refused('calculate', { expression }, /./);
  });

  it('leave the database as it is', () => {
    const { database, call } = open();
    call('think', { thought: 'hm' });
    call('transfer_to_human_agents', { summary: 'hm' });
    call('get_user_details', { user_id: 'ann_roe_1' });
    expect(database.changes()).toEqual({});
  });
});

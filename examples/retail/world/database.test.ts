import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { office, tinyWorld } from '../test-support.ts';
import { canonicalJson, Database, sameChanges } from './database.ts';

describe('Database', () => {
  it('copies a record when it is written to and leaves the world as it was', () => {
    const world = tinyWorld();
    const before = JSON.stringify(world.orders);
    const [one, other] = [new Database(world), new Database(world)];
    one.writableOrder('#W1').address.city = 'Reno';
    expect(one.order('#W1')!.address.city).toBe('Reno');
    expect(other.order('#W1')).toBe(world.orders['#W1']);
    expect(one.order('#W2')).toBe(world.orders['#W2']);
    expect(JSON.stringify(world.orders)).toBe(before);
    expect(one.writableOrder('#W1')).toBe(one.order('#W1'));
  });

  it('tells what differs from the world, not what was touched', () => {
    const world = tinyWorld();
    const database = new Database(world);
    expect(database.changes()).toEqual({});
    database.writableUser('ann_roe_1').address = { ...world.users['ann_roe_1']!.address };
    expect(database.changes()).toEqual({});
    database.writableUser('ann_roe_1').address = office;
    database.writableOrder('#W1').status = 'cancelled';
    expect(Object.keys(database.changes())).toEqual(['orders/#W1', 'users/ann_roe_1']);
  });

  it('is the same whatever the order of changes, and not when a value differs', () => {
    const world = tinyWorld();
    const cities = (...steps: [id: string, city: string][]): Database => {
      const database = new Database(world);
      for (const [id, city] of steps) database.writableOrder(id).address.city = city;
      return database;
    };
    const changes = cities(['#W1', 'Reno'], ['#W2', 'Boise']).changes();
    expect(sameChanges(changes, cities(['#W2', 'Boise'], ['#W1', 'Reno']).changes())).toBe(true);
    expect(sameChanges(changes, cities(['#W2', 'Boise'], ['#W1', 'Omaha']).changes())).toBe(false);
    expect(sameChanges(changes, cities(['#W2', 'Boise']).changes())).toBe(false);
    expect(sameChanges(cities(['#W2', 'Boise']).changes(), changes)).toBe(false);
  });
});

describe('canonicalJson', () => {
  it('is JSON that does not depend on the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (record) => {
        // `-0` is written as 0, as JSON does.
        expect(JSON.parse(canonicalJson(record))).toEqual(JSON.parse(JSON.stringify(record)));
        const turned = Object.fromEntries(Object.entries(record).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(record));
      }),
    );
  });
});

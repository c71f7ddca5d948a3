import { trainingOrder } from './seed.ts';

/** Orders in use: one per job of a process. */
const REMEMBERED = 16;
const orders = new Map<string, (sequence: number) => number>();

/**
 * Index of the task that training request `sequence` is about: every task once an epoch, each epoch in an order of its own.
 * Depends on its arguments only.
 */
export function taskAt(sequence: number, tasks: number, seed: number): number {
  const key = `${tasks}/${seed}`;
  let order = orders.get(key);
  if (order === undefined) {
    order = trainingOrder(tasks, seed);
    orders.set(key, order);
    if (orders.size > REMEMBERED) orders.delete(orders.keys().next().value!);
  }
  return order(sequence);
}

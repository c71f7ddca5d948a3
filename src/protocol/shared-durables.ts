import type { ConsumeOptions } from '../bus/bus.ts';
import { WRITER_EVENTS, WRITER_SCORED } from '../store/writer.ts';
import { WORK_DURABLES } from './work-durables.ts';

/** What tells a durable: its stream, name and filter. */
type Durable = Pick<ConsumeOptions, 'stream' | 'durable' | 'filter'>;

const LETTERS_DURABLE: Durable = { stream: 'DLQ', durable: 'dead-letters', filter: 'dlq.>' };

/** The durables of the cluster; each job has two more on SCORED. */
export const SHARED_DURABLES: readonly Durable[] = [...WORK_DURABLES, WRITER_SCORED, WRITER_EVENTS, LETTERS_DURABLE];

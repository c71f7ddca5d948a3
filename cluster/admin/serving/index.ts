import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Clock } from '../../../src/clock/clock.ts';
import type {
  RecordRewardRequest,
  RecordRewardResponseSchema,
  ServePolicyRequest,
  ServePolicyResponseSchema,
} from '../../../src/gen/millrace/v1/adapters_pb.ts';
import { ExperimentDirectory } from '../../jobs/experiments.ts';
import { ServedTasks } from '../../jobs/served-tasks.ts';
import { adaptersApi, type AdaptersApi } from './adapters.ts';
import type { ServingContext } from './context.ts';
import { experimentsApi, type ExperimentsApi } from './experiments.ts';
import { ExperimentKeeper, type KeeperContext } from './keeper.ts';
import { recordReward } from './reward.ts';
import { servePolicy } from './serve.ts';

/** The part of the admin API about published policies: the registry, live tasks, experiments. */
export interface ServingApi {
  readonly adapters: AdaptersApi;
  readonly experiments: ExperimentsApi;
  servePolicy(request: ServePolicyRequest): Promise<MessageInitShape<typeof ServePolicyResponseSchema>>;
  recordReward(request: RecordRewardRequest): Promise<MessageInitShape<typeof RecordRewardResponseSchema>>;
}

/** What {@link servingApi} works with. */
export type ServingOptions = Omit<ServingContext, 'experiments' | 'served' | 'keeper' | 'clock'> &
  Pick<KeeperContext, 'log'> & { clock: Clock };

/** Publishing, serving and experiments over the bus; any coordinator answers. */
export function servingApi(options: ServingOptions): ServingApi {
  const experiments = new ExperimentDirectory(options.bus);
  const keeper = new ExperimentKeeper({ ...options, experiments });
  const context: ServingContext = { ...options, experiments, keeper, served: new ServedTasks(options.bus) };
  return {
    adapters: adaptersApi(context),
    experiments: experimentsApi(context),
    servePolicy: (request) => servePolicy(context, request),
    recordReward: (request) => recordReward(context, request),
  };
}

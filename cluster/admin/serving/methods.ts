import type { AdminService } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { Handlers } from '../../../src/rpc/handlers.ts';
import { ownedBy } from '../owned-by.ts';
import type { ServingApi } from './index.ts';

type ServingMethod =
  | 'publishAdapter'
  | 'getAdapter'
  | 'listAdapters'
  | 'promoteAdapter'
  | 'rollBackAdapter'
  | 'servePolicy'
  | 'recordReward'
  | 'createExperiment'
  | 'getExperiment'
  | 'listExperiments'
  | 'decideExperiment'
  | 'stopExperiment';

/** The methods of the admin API about published policies, live tasks and experiments. */
export function servingMethods(serving: ServingApi): Pick<Handlers<typeof AdminService>, ServingMethod> {
  const { adapters, experiments } = serving;
  return {
    publishAdapter: (request, { caller }) => adapters.publish(ownedBy(caller, request)),
    getAdapter: (request) => adapters.get(request),
    listAdapters: (request) => adapters.list(request),
    promoteAdapter: (request) => adapters.promote(request),
    rollBackAdapter: (request) => adapters.rollBack(request),
    servePolicy: (request) => serving.servePolicy(request),
    recordReward: (request) => serving.recordReward(request),
    createExperiment: (request, { caller }) => experiments.create(ownedBy(caller, request)),
    getExperiment: (request) => experiments.get(request),
    listExperiments: (request) => experiments.list(request),
    decideExperiment: (request) => experiments.decide(request),
    stopExperiment: (request) => experiments.stop(request),
  };
}

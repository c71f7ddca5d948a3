/**
 * `millrace/client`: what applications drive a cluster with. It needs no files on the machines of the cluster: the flow is bundled
 * here and uploaded.
 */
export { createClient } from './client.ts';
export type { Imported, ImportOptions, MillraceClient, MillraceClientOptions } from './client.ts';
export type {
  BudgetLimits,
  CreateJobOptions,
  EvaluateOptions,
  ForkJobOptions,
  JobConfigOf,
  JobPage,
  JobsClient,
  ListJobsOptions,
  WatchOptions,
  WatchAllOptions,
} from './jobs.ts';
export type { AdaptersClient, ExperimentsClient, NewExperiment, PublishOptions, ServeOptions } from './adapters.ts';
export type { AgentsClient, RegisterAgentOptions } from './agents.ts';
export type { BudgetsClient, MonthOptions } from './budgets.ts';
export type { CredentialsClient, IssuedCredential, NewCredentialOptions, RotateOptions } from './credentials.ts';
export type { DeadLettersClient, StreamOptions } from './dead-letters.ts';
export type { OperationsClient, PruneOptions } from './operations.ts';
export type { NewSchedule, SchedulesClient } from './schedules.ts';
export type { JobChange } from './follow.ts';
export { isEnded, stateOf } from './state.ts';
export type { JobStateWord } from './state.ts';
export type { FlowSource, UploadedFlow } from './upload.ts';
export type { QueryOptions, QueryRows } from './query.ts';
export type { ExportFilter, ExportOptions } from './export.ts';
export { MillraceError } from '../errors.ts';
export type { ErrorCode, MillraceErrorOptions } from '../errors.ts';
export type { CallOptions } from '../rpc/options.ts';
export type { Adapter, Experiment, RecordRewardResponse, ServePolicyResponse } from '../gen/millrace/v1/adapters_pb.ts';
export type { Credential } from '../gen/millrace/v1/access_pb.ts';
export type { Schedule } from '../gen/millrace/v1/schedules_pb.ts';
export type {
  Actor,
  Budget,
  Checkpoint,
  DeadLetter,
  Evaluation,
  Job,
  JobNotice,
  JobProgress,
  Node,
  RegisteredAgent,
} from '../gen/millrace/v1/admin_pb.ts';

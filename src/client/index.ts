/**
 * `millrace/client`: what applications drive a cluster with. It needs no files on the machines of the cluster: the flow is bundled
 * here and uploaded.
 */
export { createClient } from './client.ts';
export type { MillraceClient, MillraceClientOptions } from './client.ts';
export type {
  CreateJobOptions,
  JobConfigOf,
  JobPage,
  JobsClient,
  ListJobsOptions,
  WatchOptions,
  WatchAllOptions,
} from './jobs.ts';
export type { JobChange } from './follow.ts';
export { isEnded, stateOf } from './state.ts';
export type { JobStateWord } from './state.ts';
export type { FlowSource, UploadedFlow } from './upload.ts';
export type { QueryOptions, QueryRows } from './query.ts';
export type { ExportFilter, ExportOptions } from './export.ts';
export { MillraceError } from '../errors.ts';
export type { ErrorCode, MillraceErrorOptions } from '../errors.ts';
export type { CallOptions } from '../rpc/options.ts';
export type { Checkpoint, Evaluation, Job, JobNotice, JobProgress } from '../gen/millrace/v1/admin_pb.ts';

/**
 * What every implementation of a port must do, as suites for vitest (`millrace/conformance`): for a bus, store, clock or policy kind of
 * your own. vitest must be installed.
 */
export { artifactConformance } from './artifacts/conformance.ts';
export type { ArtifactHarness } from './artifacts/conformance.ts';
export { busConformance, CONFORMANCE_TOPOLOGY } from './conformance/bus.ts';
export type { BusHarness, TestConnection } from './bus/conformance/harness.ts';
export { clockConformance } from './clock/conformance.ts';
export { inferenceConformance } from './policy/inference/conformance.ts';
export type { InferenceHarness } from './policy/inference/conformance.ts';
export type {
  Capability,
  DecideRequest,
  GenerateRequest,
  Inference,
  InferenceWeights,
  ScoreRequest,
} from './policy/inference/inference.ts';
export { modelConformance } from './model/conformance.ts';
export type { ModelHarness, ModelLacks } from './model/conformance.ts';
export { policyKindConformance } from './policy/conformance/suite.ts';
export type { PolicyKindExample } from './policy/conformance/suite.ts';
export { randomConformance } from './random/conformance.ts';
export { storeConformance } from './store/conformance.ts';

/** What a bus is asked to keep: the suite expects `topology(CONFORMANCE_TOPOLOGY)`. */
export { topology } from './protocol/topology.ts';
export type { BucketSpec, StreamSpec, Topology } from './bus/topology.ts';
export type {
  Bus,
  BusMessage,
  ConsumeOptions,
  Consumer,
  DurableState,
  KeyValue,
  PublishAck,
  PublishOptions,
  StoredMessage,
  StreamState,
  TopologyPart,
} from './bus/bus.ts';

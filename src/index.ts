/** The public API: what a flow is written with. */
export { defineFlow, defineTool, ToolError } from './flow/define.ts';
export { defineAgent } from './flow/agent/define.ts';
export { agentTool } from './flow/agent/definition.ts';
export { defineDemonstrations } from './tasks/demonstrations/define.ts';
export type { DemonstrationsOptions } from './tasks/demonstrations/define.ts';
export type { AgentDefinition, AgentMemory, AgentTool, AgentTurn, AgentVerification } from './flow/agent/definition.ts';
export { RetryLater } from './flow/retry-later.ts';
export type { HttpResponse, RetryLaterOptions } from './flow/retry-later.ts';
export { metered } from './flow/usage.ts';
export type { Usage } from './flow/usage.ts';
export type {
  CallOutcome,
  FlowDefinition,
  Json,
  Loaded,
  OpenAction,
  Outcome,
  Plan,
  Reward,
  Said,
  Tool,
  TrainingQuery,
  Verification,
} from './flow/define.ts';
export { MillraceError } from './errors.ts';
export type { ErrorCode, MillraceErrorOptions } from './errors.ts';
export type { RewardFunction, RewardInput, RewardStep } from './reward/custom/protocol.ts';
export { seededRandom } from './random/seeded.ts';
export type { Random } from './random/random.ts';
export { readCsv, readJson, readJsonLines, readTasks } from './tasks/read.ts';
export { z } from 'zod';

/** Flows and workflows without training (docs/model-clients.md). */
export { runBatch } from './workflow/batch.ts';
export type { BatchOptions, BatchResult } from './workflow/batch.ts';
export { modelNamed } from './workflow/current-models.ts';
export type { Models, ModelTotals } from './workflow/current-models.ts';
export { defineWorkflow } from './workflow/define-workflow.ts';
export type {
  FlowStepDefinition,
  FunctionStep,
  ModelStep,
  StepInput,
  WorkflowDefinition,
  WorkflowStep,
} from './workflow/define-workflow.ts';
export { runFlow } from './workflow/run-flow.ts';
export type { FlowResult, FlowStep, RunFlowOptions } from './workflow/run-flow.ts';
export { runWorkflow } from './workflow/run-workflow.ts';
export type { EndedStep, RunWorkflowOptions, WorkflowResult } from './workflow/run-workflow.ts';

/** What was trained, used in an application (docs/using-a-policy.md). */
export { loadPolicy } from './serving/index.ts';
export type { LoadPolicyOptions } from './serving/load-policy.ts';
export type { PolicyAction, PolicyRun } from './serving/policy-run.ts';
export type { PlayOptions, Solution, SolutionStep, TrainedPolicy } from './serving/trained-policy.ts';

/** Language models. */
export { anthropicModel } from './model/clients/anthropic/client.ts';
export type { AnthropicOptions } from './model/clients/anthropic/client.ts';
export { bedrockModel } from './model/clients/bedrock/client.ts';
export type { BedrockOptions } from './model/clients/bedrock/client.ts';
export { openAiModel } from './model/clients/openai/client.ts';
export type { OpenAiOptions } from './model/clients/openai/client.ts';
export { ModelError } from './model/model-error.ts';
export type { ModelErrorOptions, ModelProblem } from './model/model-error.ts';
export type {
  CallOptions,
  ContentPart,
  Model,
  ModelCall,
  ModelEvent,
  ModelFinish,
  ModelMessage,
  ModelRequest,
  ModelResult,
  ModelUsage,
} from './model/model.ts';
export { generateObject } from './model/structured.ts';
export type { ObjectRequest, ObjectResult } from './model/structured.ts';
export { scriptedModel } from './model/testing/scripted-model.ts';
export type { Script, ScriptedCall, ScriptedFault, ScriptedReply } from './model/testing/script.ts';
export type { ScriptedModel, ScriptedModelOptions } from './model/testing/scripted-model.ts';

/** Policy kinds: what a flow module may export as `policyKinds` (docs/policy-kinds.md). */
export type { ChoiceDecision, Decision, FinishReason, GeneratedDecision, Generation, Reading } from './policy/decision.ts';
export type {
  AssistantMessage,
  Conversation,
  JsonSchema,
  MalformedCall,
  Message,
  Speech,
  ToolCall,
  ToolSpecification,
  WrittenCall,
} from './base-model/chat/conversation.ts';
export { encodeExperience, requireCodec } from './policy/experience.ts';
export type { Experience, ExperienceParts } from './policy/experience.ts';
export type {
  ActingPolicy,
  GenerationOf,
  LossDerivatives,
  LossInputs,
  PolicyActor,
  PolicyKind,
  PolicyLearner,
  PolicySpec,
  RecordedChoice,
  RecordedDecision,
  RecordedGeneration,
  ScoringOf,
  SituationOf,
  SituationTable,
  SpecDifference,
  SpecificationNeeds,
  TokenLoss,
  TokenOutputs,
  TokensOf,
  Turn,
} from './policy/kind.ts';
export type { FlowOutline } from './policy/plan.ts';
export type { Parameters, TensorPlace } from './policy/policy.ts';

export { checkpoint } from "./checkpoint.ts";
export { type CompileOptions, compile, Executable, type OperatorCount, type RunOptions } from "./compile.ts";
export type { Attributes, Composite, TensorSpec } from "./composite.ts";
export {
  type CausalAttentionInputs,
  type CausalAttentionOptions,
  causalAttention,
} from "./composites/attention.ts";
export { crossEntropy } from "./composites/cross-entropy.ts";
export { hadamard } from "./composites/hadamard.ts";
export { type PagedProjections, type PagePool, pagedAttention } from "./composites/paged-attention.ts";
export { type PageDType, type PageSizes, type Pages, pageSpecs } from "./composites/pages.ts";
export { rmsNorm } from "./composites/rms-norm.ts";
export { type SelectedTokens, type SelectTokensOptions, selectTokens } from "./composites/select-tokens.ts";
export { logSoftmax, softmax } from "./composites/softmax.ts";
export { swiglu } from "./composites/swiglu.ts";
export {
  allocateArray,
  DTYPES,
  type DType,
  dtypeFromOnnx,
  type FloatDType,
  isDType,
  isFloating,
  isInteger,
  type TypedArray,
  type TypedArrayOf,
} from "./dtype.ts";
export { TENSOR_ERROR_CODES, TensorError, type TensorErrorCode } from "./errors.ts";
export { evaluate, isTensor, type TensorsByPath } from "./evaluate.ts";
export { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./float16.ts";
export { grad, valueAndGrad, vjp } from "./grad.ts";
export { dropout, gelu, randomUniform, silu } from "./nn.ts";
export { lower, type OnnxGraph } from "./onnx/lower.ts";
export {
  abs,
  add,
  argmax,
  broadcastTo,
  cast,
  concat,
  constant,
  cos,
  dimValue,
  div,
  equal,
  erf,
  exp,
  floor,
  full,
  gather,
  greater,
  greaterEqual,
  iota,
  isFinite,
  less,
  lessEqual,
  log,
  logicalAnd,
  logicalNot,
  logicalOr,
  matmul,
  max,
  maximum,
  mean,
  minimum,
  mod,
  mul,
  neg,
  type Operand,
  pad,
  pow,
  type ReduceOptions,
  reshape,
  scatter,
  scatterAdd,
  sigmoid,
  sin,
  slice,
  split,
  sqrt,
  stopGradient,
  sub,
  sum,
  takeAlong,
  tanh,
  transpose,
  weight,
  where,
} from "./ops.ts";
export {
  type AdamWOptions,
  type AdamWState,
  adamW,
  type Optimizer,
  parameterCount,
  type UpdateGuard,
} from "./optim/adamw.ts";
export { clipByNorm, globalNorm } from "./optim/clip.ts";
export { constantSchedule, type Schedule, warmupCosine } from "./optim/schedule.ts";
export { toHalf } from "./precision/half.ts";
export {
  type Form,
  type Precision,
  type PrecisionByPath,
  type PrecisionChoice,
  partPath,
  type WeightPart,
  weightParts,
} from "./precision/parts.ts";
export { withParts } from "./precision/weights.ts";
export { type Equation, formatProgram, type NamedVar, type Program, type Var } from "./program.ts";
export { ProgramBinding } from "./program-binding.ts";
export { deriveSeed, randomNormal, randomUniformArray, uniformAt } from "./random.ts";
export { type KernelStatus, kernelStatus, useKernelPath } from "./runtime/kernels.ts";
export { type MappedFile, mapFile } from "./runtime/mapped-file.ts";
export type { Device } from "./runtime/session.ts";
export { Value } from "./runtime/value.ts";
export type { HalfDType, SavedActivations } from "./saved-activations.ts";
export { addDims, type Dim, dim, formatShape, mulDims, type Shape, SymbolicDim, subDims } from "./shape.ts";
export { elementCount, scalar, Tensor } from "./tensor.ts";
export { isTensorSpec, isTracer, spec, Tracer, trace } from "./trace.ts";
export type { LossFunction } from "./train/train-step.ts";
export {
  createTrainer,
  type StepResult,
  type Trainer,
  type TrainerOptions,
  type TrainerState,
} from "./train/trainer.ts";
export { flatten, type MapTree, mapTree, type Tree } from "./tree.ts";
export { type StoredBlocks, type StoredWeight, type WeightSource, weightsFrom } from "./weights.ts";

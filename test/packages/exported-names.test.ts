// The public names of every package: a name that appears or vanishes here is a change a user can observe.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../tools/pack.ts";
import { exportedNames } from "../../tools/source-file.ts";

const names = (file: string): string =>
  exportedNames(file, readFileSync(join(ROOT, file), "utf8")).join("\n");

describe("public names", () => {
  it("of @flacuna/tensor", () => {
    expect(names("packages/tensor/src/index.ts")).toMatchInlineSnapshot(`
      "DTYPES
      Executable
      ProgramBinding
      SymbolicDim
      TENSOR_ERROR_CODES
      Tensor
      TensorError
      Tracer
      Value
      abs
      adamW
      add
      addDims
      allocateArray
      argmax
      bfloat16ToFloat32
      broadcastTo
      cast
      causalAttention
      checkpoint
      clipByNorm
      compile
      concat
      constant
      constantSchedule
      cos
      createTrainer
      crossEntropy
      deriveSeed
      dim
      dimValue
      div
      dropout
      dtypeFromOnnx
      elementCount
      equal
      erf
      evaluate
      exp
      flatten
      float16ToFloat32
      float32ToBfloat16
      float32ToFloat16
      floor
      formatProgram
      formatShape
      full
      gather
      gelu
      globalNorm
      grad
      greater
      greaterEqual
      hadamard
      iota
      isDType
      isFinite
      isFloating
      isInteger
      isTensor
      isTensorSpec
      isTracer
      kernelStatus
      less
      lessEqual
      log
      logSoftmax
      logicalAnd
      logicalNot
      logicalOr
      lower
      mapFile
      mapTree
      matmul
      max
      maximum
      mean
      minimum
      mod
      mul
      mulDims
      neg
      pad
      pageSpecs
      pagedAttention
      parameterCount
      partPath
      pow
      randomNormal
      randomUniform
      randomUniformArray
      reshape
      rmsNorm
      scalar
      scatter
      scatterAdd
      selectTokens
      sigmoid
      silu
      sin
      slice
      softmax
      spec
      split
      sqrt
      stopGradient
      sub
      subDims
      sum
      swiglu
      takeAlong
      tanh
      toHalf
      trace
      transpose
      uniformAt
      useKernelPath
      valueAndGrad
      vjp
      warmupCosine
      weight
      weightParts
      weightsFrom
      where
      withParts
      type AdamWOptions
      type AdamWState
      type Attributes
      type CausalAttentionInputs
      type CausalAttentionOptions
      type CompileOptions
      type Composite
      type DType
      type Device
      type Dim
      type Equation
      type FloatDType
      type Form
      type HalfDType
      type KernelStatus
      type LossFunction
      type MapTree
      type MappedFile
      type NamedVar
      type OnnxGraph
      type Operand
      type OperatorCount
      type Optimizer
      type PageDType
      type PagePool
      type PageSizes
      type PagedProjections
      type Pages
      type Precision
      type PrecisionByPath
      type PrecisionChoice
      type Program
      type ReduceOptions
      type RunOptions
      type SavedActivations
      type Schedule
      type SelectTokensOptions
      type SelectedTokens
      type Shape
      type StepResult
      type StoredBlocks
      type StoredWeight
      type TensorErrorCode
      type TensorSpec
      type TensorsByPath
      type Trainer
      type TrainerOptions
      type TrainerState
      type Tree
      type TypedArray
      type TypedArrayOf
      type UpdateGuard
      type Var
      type WeightPart
      type WeightSource"
    `);
  });

  it("of @flacuna/tensor/testing", () => {
    expect(names("packages/tensor/src/testing.ts")).toMatchInlineSnapshot(`
      "TOLERANCES
      castTree
      gradientError
      randomTensor
      relativeError"
    `);
  });

  it("of @flacuna/model", () => {
    expect(names("packages/model/src/index.ts")).toMatchInlineSnapshot(`
      "MODEL_ERROR_CODES
      ModelError
      VICUNA_V1_1
      createJsonSchemaConstraint
      createLanguageModel
      createStopFilter
      createTokenizer
      fetchModel
      formatLlamaConfig
      linear
      llamaHead
      llamaHidden
      llamaLogits
      llamaParameterShapes
      loadLanguageModel
      parameterCount
      parseLlamaConfig
      planFetch
      readCheckpoint
      readGguf
      readGgufCheckpoint
      readSafetensors
      readTokenizer
      renderChatTemplate
      rotateCheckpoint
      sampleToken
      tokenizerFilesFromGguf
      writeCheckpoint
      writeSafetensors
      type AdapterStack
      type AddedToken
      type ChatMessage
      type ChatTemplateOptions
      type Checkpoint
      type CheckpointMismatch
      type CheckpointWeight
      type CheckpointWeights
      type ConstrainedVocabulary
      type ConversationTemplate
      type Coordinates
      type DecodeOptions
      type EncodeOptions
      type EngineOptions
      type EngineStats
      type FetchOptions
      type FetchPlan
      type FetchProgress
      type FetchRunOptions
      type FetchedModel
      type FinishReason
      type GenerateBatchOptions
      type GenerateOptions
      type GeneratedToken
      type GgufCheckpoint
      type GgufEntry
      type GgufFile
      type GgufTensor
      type GgufType
      type GgufValue
      type GgufWeight
      type HubOptions
      type IncrementalDecoder
      type JsonSchemaConstraint
      type JsonSchemaConstraintOptions
      type LanguageModel
      type LanguageModelOptions
      type LanguageModelParts
      type Linear
      type ListedFile
      type Llama3RopeScaling
      type LlamaConfig
      type LlamaOptions
      type Loglikelihood
      type LoglikelihoodOptions
      type LoglikelihoodRequest
      type ModelErrorCode
      type ModelErrorOptions
      type ModelPrecision
      type Parameters
      type PlannedFile
      type RetryPolicy
      type RotatedCheckpoint
      type SafetensorsEntry
      type SafetensorsFile
      type SamplingOptions
      type SamplingState
      type SentencePieceDetails
      type StepModelOptions
      type StopFilter
      type TensorToWrite
      type TokenConstraint
      type TokenConstraintFactory
      type TokenLogProb
      type Tokenizer
      type TokenizerFiles
      type Vocabulary"
    `);
  });

  it("of @flacuna/lora", () => {
    expect(names("packages/lora/src/index.ts")).toMatchInlineSnapshot(`
      "FLACUNA_LORA
      LORA_ERROR_CODES
      LoraError
      SUPERVISED_BATCH
      adapterLoss
      adapterShapes
      countLabels
      countTrainable
      createAdapter
      createAdapterTrainer
      createFullTrainer
      createLossEvaluator
      createMerger
      fitAdapter
      formatAdapterConfig
      fullLoss
      int8ByPath
      loraLinear
      parseAdapterConfig
      readAdapter
      scalingOf
      stackAdapters
      toSupervisedBatch
      writeAdapter
      type Adapter
      type FineTuneOptions
      type LabelledBatch
      type LoraConfig
      type LoraErrorCode
      type LoraLinearOptions
      type LoraPair
      type LoraTree
      type LossEvaluator
      type LossOptions
      type Merger
      type ParameterShapes
      type SupervisedBatch"
    `);
  });

  it("of @flacuna/data", () => {
    expect(names("packages/data/src/index.ts")).toMatchInlineSnapshot(`
      "DATA_ERROR_CODES
      DEFAULT_MAX_LENGTH
      DataError
      FLAN_MINI_COMPONENTS
      IGNORE_INDEX
      TokenLoader
      TokenizedDataset
      WeightedMixture
      apportion
      buildTokenCache
      cappedMixture
      collate
      componentOf
      countExamples
      hashFile
      isInstructionExample
      isMessage
      isRole
      numpyPermutation
      packRows
      parseInstructionExample
      readFlanMiniJson
      readInstructionFile
      readJsonLines
      readParquet
      renderExample
      sampleOrder
      selectRows
      splitRows
      tokenizeExample
      type BuildTokenCacheOptions
      type CacheInputs
      type CacheManifest
      type CappedMixture
      type CollateOptions
      type ConversationTemplate
      type DataErrorCode
      type DataErrorDetails
      type DropReason
      type ExampleCounts
      type FlanMiniComponent
      type FlanMiniComponentName
      type InstructionExample
      type InstructionStatistics
      type LoaderIdentity
      type Message
      type MixtureItem
      type MixtureOptions
      type MixtureSource
      type NoLossReason
      type PackOptions
      type ReadInstructionOptions
      type RecordContext
      type Rendering
      type Role
      type RowCounts
      type SampleOrder
      type SampleOrderOptions
      type SampleOrigin
      type Split
      type SplitOptions
      type TemplateMessage
      type TokenBatch
      type TokenLoaderOptions
      type TokenLoaderState
      type TokenizeOptions
      type TokenizedExample
      type TokenizedRow
      type TokenizedRows
      type Tokenizer
      type WeightedMixtureState"
    `);
  });

  it("of @flacuna/eval", () => {
    expect(names("packages/eval/src/index.ts")).toMatchInlineSnapshot(`
      "EVAL_ERROR_CODES
      EvalError
      INSTRUCT_EVAL
      MMLU_SUBJECTS
      RESULT_SCHEMA
      accuracy
      averagePassAtK
      compareResults
      createBbhTask
      createCrassTask
      createDropTask
      createHumanEvalTask
      createMmluTask
      createPythonSandbox
      evaluate
      formatComparison
      formatResult
      macroAverage
      mean
      mmluCategory
      mmluSubcategory
      parseEvaluationResult
      passAtK
      readBbh
      readCrass
      readDrop
      readHumanEval
      readMmlu
      standardErrorOfAverage
      standardErrorOfMean
      type Aggregate
      type BbhConfig
      type BbhExample
      type Comparison
      type ComparisonRow
      type CrassQuestion
      type DropQuestion
      type DropRow
      type DropRows
      type Estimate
      type Estimator
      type EvalErrorCode
      type EvalErrorDetails
      type EvaluateOptions
      type EvaluationProgress
      type EvaluationResult
      type FewShotOptions
      type GenerateRequest
      type GroupEstimate
      type HumanEvalOptions
      type HumanEvalProblem
      type JudgedSample
      type Judgement
      type LanguageModel
      type LoglikelihoodRequest
      type MmluLetter
      type MmluQuestion
      type MmluSubject
      type ProblemOutcome
      type ProgramResult
      type ProgramStatus
      type PythonSandbox
      type PythonSandboxOptions
      type ReadMmluOptions
      type RunProgramOptions
      type SampleRecord
      type SampleStore
      type Sampling
      type SandboxDescription
      type TableFormat
      type Task
      type TaskDocument
      type TaskResult"
    `);
  });

  it("of @flacuna/serve", () => {
    expect(names("packages/serve/src/index.ts")).toMatchInlineSnapshot(`
      "SERVE_ERROR_CODES
      ServeError
      buildApp
      listen
      type AppOptions
      type ChatMessage
      type FinishReason
      type GenerationOptions
      type ListenOptions
      type LoggerOptions
      type RunningServer
      type ServeErrorCode
      type ServeErrorDetails
      type ServedModel
      type TextEvent
      type TextGenerator"
    `);
  });
});

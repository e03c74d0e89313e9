// Cross entropy of logits against labels, row by row: two composites, forward and backward.
import type { Composite } from "../composite.ts";
import { kernel } from "../onnx/kernel.ts";
import { cast, equal, iota, mul, neg, reshape, sub, takeAlong } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { logSoftmax, logSumExp, softmax } from "./softmax.ts";

const CROSS_ENTROPY: Composite = {
  name: "crossEntropy",
  // (logits [N, V], labels [N]) → loss [N], logSumExp [N]
  define([logits, labels]) {
    const [rows] = logits!.shape;
    const picked = takeAlong(logSoftmax(logits!), reshape(labels!, [rows!, 1]), 1);
    return [neg(reshape(picked, [rows!])), logSumExp(logits!)];
  },
  pullback([g], [logits, labels], [, total]) {
    if (g === undefined) return [];
    return [...bindComposite(CROSS_ENTROPY_GRAD, [g, logits!, labels!, total!]), undefined];
  },
  lower: kernel("CrossEntropy"),
};

const CROSS_ENTROPY_GRAD: Composite = {
  name: "crossEntropyGrad",
  // (g [N], logits [N, V], labels [N], logSumExp [N]) → dLogits [N, V] = (softmax − onehot) · g
  // softmax is exp(logits − logSumExp); without a kernel that takes the sum, the runtime's own operator is faster.
  define([g, logits, labels]) {
    const [rows, classes] = logits!.shape;
    const isLabel = equal(
      reshape(iota(classes!, labels!.dtype), [1, classes!]),
      reshape(labels!, [rows!, 1]),
    );
    return [mul(sub(softmax(logits!), cast(isLabel, logits!.dtype)), reshape(g!, [rows!, 1]))];
  },
  lower: kernel("CrossEntropyGrad"),
};

/**
 * −log softmax(logits)[label] of every row, in nats.
 *
 * @param logits [N, V]
 * @param labels [N], int64 in 0 … V − 1
 */
export const crossEntropy = (logits: Tracer, labels: Tracer): Tracer =>
  bindComposite(CROSS_ENTROPY, [logits, labels])[0]!;

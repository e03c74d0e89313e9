// Cross entropy of logits against labels, row by row: definition, and the pullback that needs no one-hot product.
import type { Composite } from "../composite.ts";
import { cast, equal, iota, mul, neg, reshape, sub, takeAlong } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { logSoftmax, softmax } from "./softmax.ts";

const CROSS_ENTROPY: Composite = {
  name: "crossEntropy",
  // (logits [N, V], labels [N]) → loss [N]
  define([logits, labels]) {
    const [rows] = labels!.shape;
    const picked = takeAlong(logSoftmax(logits!), reshape(labels!, [rows!, 1]), 1);
    return [neg(reshape(picked, [rows!]))];
  },
  // dLogits = (softmax − onehot) · g
  pullback([g], [logits, labels]) {
    const [rows, classes] = logits!.shape;
    const isLabel = equal(
      reshape(iota(classes!, labels!.dtype), [1, classes!]),
      reshape(labels!, [rows!, 1]),
    );
    return [mul(sub(softmax(logits!), cast(isLabel, logits!.dtype)), reshape(g!, [rows!, 1])), undefined];
  },
};

/**
 * −log softmax(logits)[label] of every row, in nats.
 *
 * @param logits [N, V]
 * @param labels [N], int64 in 0 … V − 1
 */
export const crossEntropy = (logits: Tracer, labels: Tracer): Tracer =>
  bindComposite(CROSS_ENTROPY, [logits, labels])[0]!;

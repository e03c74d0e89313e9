/* Causal grouped-query attention, forward and backward, with the rotation of queries and keys in it. Only the
   log-sum-exp of each query is kept; the backward pass computes the shares again. */
#include "attention-float.h"

static void attention_forward(const Attention *p, const Parallel *parallel) { float_attention_forward(p, parallel); }
static void attention_backward(const Attention *p, const Parallel *parallel) { float_attention_backward(p, parallel); }

/* Causal grouped-query attention, forward and backward, with the rotation of queries and keys in it. Only the
   log-sum-exp of each query is kept; the backward pass computes the shares again. */
#include "attention-float.h"
#if defined(PATH_AMX)
#include "attention-tiles.h"
#define ROUNDED_ATTENTION(direction) tile_attention_##direction
#elif defined(PATH_AVX512)
#include "attention-integers.h"
#define ROUNDED_ATTENTION(direction) integer_attention_##direction
#else
#define ROUNDED_ATTENTION(direction) float_attention_##direction
#endif

static void attention_forward(const Attention *p, const Parallel *parallel) {
  (p->allow_bfloat16 ? ROUNDED_ATTENTION(forward) : float_attention_forward)(p, parallel);
}
static void attention_backward(const Attention *p, const Parallel *parallel) {
  (p->allow_bfloat16 ? ROUNDED_ATTENTION(backward) : float_attention_backward)(p, parallel);
}

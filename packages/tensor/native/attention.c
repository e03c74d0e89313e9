/* Causal grouped-query attention, forward and backward, with the rotation of queries and keys in it. Only the
   log-sum-exp of each query is kept; the backward pass computes the shares again. */
#include "attention-float.h"
#ifdef PATH_AMX
#include "attention-tiles.h"
#endif

static void attention_forward(const Attention *p, const Parallel *parallel) {
#ifdef PATH_AMX
  if (p->allow_bfloat16) return tile_attention_forward(p, parallel);
#endif
  float_attention_forward(p, parallel);
}
static void attention_backward(const Attention *p, const Parallel *parallel) {
#ifdef PATH_AMX
  if (p->allow_bfloat16) return tile_attention_backward(p, parallel);
#endif
  float_attention_backward(p, parallel);
}

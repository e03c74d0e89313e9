/* Causal grouped-query attention, forward and backward, with the rotation of queries and keys in it. Only the
   log-sum-exp of each query is kept; the backward pass computes the shares again. */
#ifdef PATH_AMX
#include "attention-tiles.h"
#else
#include "attention-float.h"
#endif

static void attention_forward(const Attention *p, const Parallel *parallel) {
#ifdef PATH_AMX
  tile_attention_forward(p, parallel);
#else
  float_attention_forward(p, parallel);
#endif
}
static void attention_backward(const Attention *p, const Parallel *parallel) {
#ifdef PATH_AMX
  tile_attention_backward(p, parallel);
#else
  float_attention_backward(p, parallel);
#endif
}

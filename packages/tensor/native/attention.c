/* Causal grouped-query attention, forward and backward, with the rotation of queries and keys in it. Only the
   log-sum-exp of each query is kept; the backward pass computes the shares again. Short documents are computed apart,
   each key/value head from the first step to the last by one thread, near which everything stays. */
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

typedef void (*AttentionPass)(const Attention *, const Parallel *);

/* Tokens of a row that see each other and nobody else: a document, or small ones side by side. */
typedef struct {
  int64_t batch, first, length;
  int is_long;
} AttentionSpan;

/* Documents are joined up to so many tokens. */
#define ATTENTION_SPAN 128
/* A part whose work is more than this share of all parts' is long: several threads compute it. */
#define ATTENTION_PARTS (ATTENTION_TASKS / 2)

/* The spans of all rows; there are at most as many as tokens. */
static int64_t attention_spans(const Attention *p, AttentionSpan *spans) {
  int64_t count = 0;
  for (int64_t batch = 0; batch < p->batch; batch++)
    for (int64_t first = 0, end; first < p->length; first = end) {
      const int64_t row = batch * p->length;
      for (end = first + 1; end < p->length && p->starts[row + end] != end; end++) continue;
      AttentionSpan *last = spans + count - 1;
      if (first > 0 && last->length + end - first <= ATTENTION_SPAN) last->length += end - first;
      else spans[count++] = (AttentionSpan){.batch = batch, .first = first, .length = end - first};
    }
  return count;
}

/* Marks the long ones among the spans; a long one makes others long, as there is less beside which they are short. */
static void attention_mark_long(AttentionSpan *spans, int64_t count, int64_t key_value_heads) {
  for (int changed = 1; changed;) {
    double all = 0;
    changed = 0;
    for (AttentionSpan *span = spans; span < spans + count; span++)
      if (!span->is_long) all += (double)span->length * span->length;
    for (AttentionSpan *span = spans; span < spans + count; span++) {
      if (span->is_long || (double)span->length * span->length * ATTENTION_PARTS <= all * key_value_heads) continue;
      span->is_long = changed = 1;
    }
  }
}

static inline float *attention_from(const float *x, int64_t at) { return x == NULL ? NULL : (float *)x + at; }

/* Some key/value heads of a span, and the query heads that read them. */
static Attention attention_part(const Attention *whole, const AttentionSpan *span, int64_t head, int64_t heads) {
  const int64_t group = whole->heads / whole->key_value_heads, half = whole->head_size / 2;
  const int64_t query = attention_query_at(whole, span->batch, span->first, head * group);
  const int64_t key = attention_key_at(whole, span->batch, span->first, head);
  Attention part = *whole;
  part.batch = 1, part.length = span->length, part.heads = heads * group, part.key_value_heads = heads;
  part.of.first = span->first;
  part.query += query, part.key += key, part.value += key;
  part.cos += span->first * half, part.sin += span->first * half;
  part.starts += span->batch * whole->length + span->first;
  part.mixed += query;
  part.log_sum_exp += attention_log_sum_at(whole, span->batch, span->first, head * group);
  part.d_mixed = attention_from(whole->d_mixed, query), part.d_query = attention_from(whole->d_query, query);
  part.d_key = attention_from(whole->d_key, key), part.d_value = attention_from(whole->d_value, key);
  return part;
}

static void attention_in_order(const Parallel *self, Task task, size_t count, void *argument) {
  (void)self;
  for (size_t index = 0; index < count; index++) task(argument, index);
}

typedef struct {
  const Attention *whole;
  AttentionPass pass;
  const AttentionSpan *spans;
} AttentionParts;

static void attention_short_part(void *argument, size_t index) {
  const AttentionParts *parts = argument;
  const int64_t heads = parts->whole->key_value_heads;
  const AttentionSpan *span = parts->spans + index / heads;
  if (span->is_long) return;
  const Attention part = attention_part(parts->whole, span, index % heads, 1);
  parts->pass(&part, &(Parallel){attention_in_order, NULL});
}

static void attention_run(const Attention *arguments, AttentionPass pass, const Parallel *parallel) {
  Attention whole = *arguments;
  whole.of.query_step = whole.heads * whole.head_size, whole.of.key_step = whole.key_value_heads * whole.head_size;
  whole.of.log_sum_step = whole.length;
  if (whole.starts == NULL) return pass(&whole, parallel);
  AttentionSpan *spans = scratch(ATTENTION_PARTS_SLOT, whole.batch * whole.length * sizeof(AttentionSpan));
  const int64_t count = attention_spans(&whole, spans), heads = whole.key_value_heads;
  attention_mark_long(spans, count, heads);
  for (const AttentionSpan *span = spans; span < spans + count; span++) {
    if (!span->is_long) continue;
    const Attention part = attention_part(&whole, span, 0, heads);
    pass(&part, parallel);
  }
  parallel_for(parallel, attention_short_part, count * heads, &(AttentionParts){&whole, pass, spans});
}

static void attention_forward(const Attention *p, const Parallel *parallel) {
  attention_run(p, p->allow_bfloat16 ? ROUNDED_ATTENTION(forward) : float_attention_forward, parallel);
}
static void attention_backward(const Attention *p, const Parallel *parallel) {
  attention_run(p, p->allow_bfloat16 ? ROUNDED_ATTENTION(backward) : float_attention_backward, parallel);
}

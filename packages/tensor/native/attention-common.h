/* What all kinds of attention share: who sees whom, rotation, scratch, and the last sum of the query gradients. */
#ifndef FLACUNA_ATTENTION_COMMON_H
#define FLACUNA_ATTENTION_COMMON_H
#include <string.h>
#include "kernels.h"
#include "scratch.h"
#include "vector.h"

/* Working memory that all tasks of a call share belongs to the calling thread; a task has its own. */
#define ATTENTION_CALL_SLOT (SCRATCH_SLOTS - 1)
#define ATTENTION_TASK_SLOT (SCRATCH_SLOTS - 2)
/* The list of a call's parts, which is made when its other working memory is in use. */
#define ATTENTION_PARTS_SLOT (SCRATCH_SLOTS - 3)
#define LN_2 0.693147180f

/* low <= i < high */
typedef struct {
  int64_t low, high;
} AttentionRange;

static inline int64_t attention_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t attention_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline AttentionRange attention_clamp(int64_t low, int64_t high, int64_t size) {
  return (AttentionRange){attention_min(attention_max(low, 0), size), attention_max(attention_min(high, size), 0)};
}

static inline int64_t attention_first_key(const Attention *p, int64_t batch, int64_t query) {
  return p->starts == NULL ? 0 : p->starts[batch * p->length + query] - p->of.first;
}
/* One past the last query that sees the key: starts do not fall, so halving finds it. */
static inline int64_t attention_query_end(const Attention *p, int64_t batch, int64_t key) {
  int64_t low = key + 1, high = p->length;
  if (p->starts == NULL) return high;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (attention_first_key(p, batch, middle) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* Queries first .. first + queries against keys first_key .. first_key + keys of one row and query head. */
typedef struct {
  int64_t batch, head, first_query, queries, first_key, keys;
} AttentionBlock;

/* The keys of the block (counted from its first) that one of queries `from` ... `to` - 1 of the block sees. */
static inline AttentionRange attention_keys_seen(const Attention *p, const AttentionBlock *block, int64_t from,
                                                 int64_t to) {
  return attention_clamp(attention_first_key(p, block->batch, block->first_query + from) - block->first_key,
                         block->first_query + to - block->first_key, block->keys);
}
/* The queries of the block (counted from its first) that see one of keys `from` ... `to` - 1 of the block. */
static inline AttentionRange attention_queries_seeing(const Attention *p, const AttentionBlock *block, int64_t from,
                                                      int64_t to) {
  return attention_clamp(block->first_key + from - block->first_query,
                         attention_query_end(p, block->batch, block->first_key + to - 1) - block->first_query,
                         block->queries);
}

static inline float attention_scale(const Attention *p) { return 1.0f / sqrtf((float)p->head_size); }
/* Where a head of a token starts in arrays of query heads, in those of key/value heads, and in log_sum_exp. */
static inline int64_t attention_query_at(const Attention *p, int64_t batch, int64_t token, int64_t head) {
  return (batch * p->length + token) * p->of.query_step + head * p->head_size;
}
static inline int64_t attention_key_at(const Attention *p, int64_t batch, int64_t token, int64_t head) {
  return (batch * p->length + token) * p->of.key_step + head * p->head_size;
}
static inline int64_t attention_log_sum_at(const Attention *p, int64_t batch, int64_t token, int64_t head) {
  return (batch * p->heads + head) * p->of.log_sum_step + token;
}

/* y = scale * x [2 * half] turned by angles [half], forward (direction 1) or back (-1). y may be x. */
static inline void rotate_row(int64_t half, const float *cos, const float *sin, float direction, float scale,
                              const float *x, float *y) {
  const int64_t whole = half / LANES * LANES;
  for (int64_t i = 0; i < whole; i += LANES) {
    const Floats c = splat(scale) * load(cos + i), s = splat(scale * direction) * load(sin + i);
    const Floats low = load(x + i), high = load(x + half + i);
    store(y + i, low * c - high * s);
    store(y + half + i, high * c + low * s);
  }
  for (int64_t i = whole; i < half; i++) {
    const float c = scale * cos[i], s = scale * direction * sin[i], low = x[i], high = x[half + i];
    y[i] = low * c - high * s;
    y[half + i] = high * c + low * s;
  }
}
/* The same by the angles of the token. */
static inline void attention_rotate(const Attention *p, int64_t token, float direction, float scale, const float *x,
                                    float *y) {
  const int64_t half = p->head_size / 2;
  rotate_row(half, p->cos + token * half, p->sin + token * half, direction, scale, x, y);
}

/* Takes the next `count` elements of `size` bytes of a call's working memory, on a boundary of 64 bytes. With `memory`
   null only the offset advances: so a first round gives the bytes to ask for. */
typedef struct {
  char *memory;
  size_t used;
} AttentionMemory;
static inline void *attention_take(AttentionMemory *from, int64_t count, size_t size) {
  void *taken = from->memory == NULL ? NULL : from->memory + from->used;
  from->used += ((size_t)count * size + 63) / 64 * 64;
  return taken;
}

/* The backward pass splits the keys into segments, whose shares of the query gradients are summed at the end: the
   division depends on the shape alone, and so do the results. */
#define ATTENTION_TASKS 16
typedef struct {
  int64_t count, keys; /* segments of so many keys; the last may have fewer */
} AttentionSegments;
static inline AttentionSegments attention_segments(const Attention *p, int64_t block) {
  const int64_t blocks = (p->length + block - 1) / block, others = p->batch * p->key_value_heads;
  const int64_t wanted = attention_min(blocks, (ATTENTION_TASKS + others - 1) / others);
  const int64_t keys = (blocks + wanted - 1) / wanted * block;
  return (AttentionSegments){(p->length + keys - 1) / keys, keys};
}
/* The queries that see a key of the segment: only these rows of its gradients are written. */
static inline AttentionRange attention_segment_queries(const Attention *p, AttentionSegments segments, int64_t segment,
                                                       int64_t batch) {
  const int64_t first = segment * segments.keys, end = attention_min(first + segments.keys, p->length);
  return (AttentionRange){first, attention_query_end(p, batch, end - 1)};
}

#endif

/* What attention does to single rows of scores, and squares turned in registers; for all kinds of attention. */
#ifndef FLACUNA_ATTENTION_ROWS_H
#define FLACUNA_ATTENTION_ROWS_H
#include <float.h>
#include "attention-common.h"

/* Exchanges the blocks off the diagonal in every square of 2 * step rows and lanes. */
static inline __attribute__((always_inline)) void transpose_step(Floats rows[LANES], const int step) {
  const Ints moved = (LANE_NUMBERS & step) != 0;
  const Ints upper = LANE_NUMBERS + (moved & (LANES - step)); /* lanes of the first row, then of the second */
  const Ints lower = LANE_NUMBERS + (moved & LANES) + (~moved & step);
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++)
    if ((i & step) == 0) {
      const Floats a = rows[i], b = rows[i + step];
      rows[i] = __builtin_shuffle(a, b, upper);
      rows[i + step] = __builtin_shuffle(a, b, lower);
    }
}

/* Rows become columns. */
static inline __attribute__((always_inline)) void transpose_square(Floats rows[LANES]) {
#if LANES > 8
  transpose_step(rows, 8);
#endif
#if LANES > 4
  transpose_step(rows, 4);
#endif
  transpose_step(rows, 2);
  transpose_step(rows, 1);
}

/* Lanes of the row's first and last vector that are outside its range. */
static inline void attention_fill_edges(float *row, AttentionRange range, float with) {
  for (int64_t j = range.low / LANES * LANES; j < range.low; j++) row[j] = with;
  for (int64_t j = range.high; j % LANES != 0; j++) row[j] = with;
}
static inline void attention_clear_outside(float *row, AttentionRange range, int64_t width) {
  memset(row, 0, range.low * sizeof(float));
  memset(row + range.high, 0, (width - range.high) * sizeof(float));
}

static inline float attention_max_lanes(Floats x) {
#pragma GCC unroll 4
  for (int step = LANES / 2; step > 0; step /= 2) x = max_floats(x, __builtin_shuffle(x, LANE_NUMBERS ^ step));
  return x[0];
}

/* What a query keeps of the keys met so far: the largest score, and the sum of 2^(score - largest) in lanes. */
typedef struct {
  float *largest; /* [queries] */
  float *sums;    /* [queries, LANES] */
} AttentionState;

/* Scores of the keys in range become shares 2^(score - largest), and 0 outside. Returns the factor for what the query
   has gathered so far. */
static inline float attention_soften(float *row, AttentionRange range, int64_t width, float *largest, float *sums) {
  attention_fill_edges(row, range, -INFINITY);
  const int64_t begin = range.low / LANES * LANES;
  Floats top = splat(*largest), sum = {};
  for (int64_t j = begin; j < range.high; j += LANES) top = max_floats(top, load(row + j));
  const float now = attention_max_lanes(top);
  for (int64_t j = begin; j < range.high; j += LANES) {
    Floats share = exp2_floats(load(row + j) - splat(now));
    sum += share;
    store(row + j, share);
  }
  const float factor = exp2f(*largest - now);
  attention_clear_outside(row, range, width);
  store(sums, load(sums) * splat(factor) + sum);
  *largest = now;
  return factor;
}

/* scores -> shares, d_shares -> d_scores = shares * (d_shares - dot); both 0 outside the range. */
static inline void attention_share_gradients(float *scores, float *d_shares, AttentionRange range, int64_t width,
                                             float log_sum, float dot) {
  for (int64_t j = range.low / LANES * LANES; j < range.high; j += LANES) {
    Floats share = exp2_floats(load(scores + j) - splat(log_sum));
    store(scores + j, share);
    store(d_shares + j, share * (load(d_shares + j) - splat(dot)));
  }
  attention_clear_outside(scores, range, width);
  attention_clear_outside(d_shares, range, width);
}

/* ---- results ------------------------------------------------------------------------------------------- */

/* What query `row` of the block has gathered, divided by its sum. */
static inline void attention_write_mixed(const Attention *p, const AttentionBlock *block, int64_t row,
                                         const float *mixed, float largest, const float *sums) {
  const int64_t token = block->first_query + row, size = p->head_size;
  const float sum = sum_lanes(load(sums)), inverse = 1.0f / sum;
  float *out = p->mixed + attention_query_at(p, block->batch, token, block->head);
  for (int64_t i = 0; i < size; i += LANES) store(out + i, load(mixed + i) * splat(inverse));
  p->log_sum_exp[attention_log_sum_at(p, block->batch, token, block->head)] = largest * LN_2 + logf(sum);
}

static inline float attention_mixed_dot(const Attention *p, int64_t batch, int64_t token, int64_t head) {
  const int64_t at = attention_query_at(p, batch, token, head);
  const float *mixed = p->mixed + at, *d_mixed = p->d_mixed + at;
  Floats dot = {};
  for (int64_t i = 0; i < p->head_size; i += LANES) dot += load(mixed + i) * load(d_mixed + i);
  return sum_lanes(dot);
}

/* The gradients of key `key` of the block: the queries were scaled for scores in units of log 2. */
static inline void attention_write_key_gradients(const Attention *p, const AttentionBlock *block, int64_t head,
                                                 int64_t key, const float *d_key, const float *d_value) {
  const int64_t token = block->first_key + key;
  const int64_t at = attention_key_at(p, block->batch, token, head);
  attention_rotate(p, token, -1, LN_2, d_key, p->d_key + at);
  memcpy(p->d_value + at, d_value, p->head_size * sizeof(float));
}

#endif

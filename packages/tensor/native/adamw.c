/* The update of all trained values: one pass over parameters, state and gradient, the sum of gradients, and their norm.
   What is written may be what is read: every value depends on its own place alone. */
#include "kernels.h"
#include "row-blocks.h"
#include "scratch.h"
#include "vector.h"

/* One vector of values; the last one may have fewer. */
static inline void adamw_vector(const AdamW *p, int64_t at, int64_t count) {
  Floats g = load_first(p->g + at, count) * splat(p->scale);
  Floats mean = load_first(p->mean + at, count) * splat(p->beta1) + g * splat(p->complement1);
  Floats variance = load_first(p->variance + at, count) * splat(p->beta2) + g * g * splat(p->complement2);
  Floats deviation = sqrt_floats(variance) * splat(p->inverse_deviation) + splat(p->epsilon);
  Floats decayed = load_first(p->parameter + at, count) * splat(p->decay);
  store_first(p->new_mean + at, mean, count);
  store_first(p->new_variance + at, variance, count);
  store_first(p->new_parameter + at, decayed - mean / deviation * splat(p->step), count);
}

static void adamw_piece(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const AdamW *p = blocks->arguments;
  int64_t at = first_row(blocks, index), end = end_row(blocks, index);
  for (; at + LANES <= end; at += LANES) adamw_vector(p, at, LANES);
  if (at < end) adamw_vector(p, at, end - at);
}

static void adamw_keep(float *to, const float *from, int64_t count) {
  if (to != from) memcpy(to, from, (size_t)count * sizeof *to);
}

static void adamw(const AdamW *p, const Parallel *parallel) {
  if (p->is_good) return for_row_blocks(parallel, adamw_piece, p, p->count, 1);
  adamw_keep(p->new_mean, p->mean, p->count);
  adamw_keep(p->new_variance, p->variance, p->count);
  adamw_keep(p->new_parameter, p->parameter, p->count);
}

static inline void accumulate_vector(const Accumulate *p, int64_t at, int64_t count) {
  Floats part = load_first(p->part + at, count) / splat(p->divisor);
  store_first(p->total + at, p->is_first ? part : load_first(p->sum + at, count) + part, count);
}

static void accumulate_piece(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const Accumulate *p = blocks->arguments;
  int64_t at = first_row(blocks, index), end = end_row(blocks, index);
  for (; at + LANES <= end; at += LANES) accumulate_vector(p, at, LANES);
  if (at < end) accumulate_vector(p, at, end - at);
}

static void accumulate(const Accumulate *p, const Parallel *parallel) {
  for_row_blocks(parallel, accumulate_piece, p, p->count, 1);
}

/* What one piece adds to the sum of squares: the pieces are the same whatever the threads, and so is the sum. */
typedef struct {
  const float *x;
  double *parts;
} SquaresWork;

static void squares_piece(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const SquaresWork *work = blocks->arguments;
  Floats sums[4] = {};
  int64_t at = first_row(blocks, index), end = end_row(blocks, index);
  for (; at + 4 * LANES <= end; at += 4 * LANES)
    for (int part = 0; part < 4; part++) {
      Floats value = load(work->x + at + part * LANES);
      sums[part] += value * value;
    }
  for (; at < end; at += LANES) {
    Floats value = load_first(work->x + at, end - at);
    sums[0] += value * value;
  }
  double total = 0;
  for (int part = 0; part < 4; part++)
    for (int lane = 0; lane < LANES; lane++) total += sums[part][lane];
  work->parts[index] = total;
}

static void sum_of_squares(const SumOfSquares *p, const Parallel *parallel) {
  int64_t pieces = round_up(p->count, ROW_BLOCK_VALUES) / ROW_BLOCK_VALUES;
  SquaresWork work = {p->x, scratch(0, (size_t)pieces * sizeof(double))};
  for_row_blocks(parallel, squares_piece, &work, p->count, 1);
  double total = 0;
  for (int64_t piece = 0; piece < pieces; piece++) total += work.parts[piece];
  *p->total = (float)total;
}

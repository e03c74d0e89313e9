/* Products of rows with a block of keys or values in 16-bit integers: twice the rate of float32, and sums that are exact, so
   that their order does not matter. A position has one scale for its key and one for its value; a row one for its query
   and one for its shares of a block, into which the values' scales go before rounding. Keys lie in pairs of dimensions,
   values in pairs of positions. */
#ifndef FLACUNA_ATTENTION_PAGES_INTEGERS_H
#define FLACUNA_ATTENTION_PAGES_INTEGERS_H
#include "attention-pages.h"
#include "integers16.h"

/* Values are rounded to so much, and all shares of a block to a vector of such a length: products of a panel fit 32 bits. */
#define PAGE_VALUE_BOUND 8191.0f
#define PAGE_SHARE_LENGTH 32700.0f

/* One pair, for all lanes. */
static inline Ints splat_pair(const void *from) {
  int32_t pair;
  memcpy(&pair, from, sizeof pair);
  return splat_int(pair);
}

/* Elements of a line of memory. Keys and values of a unit are as many lines, D / 2: with each line that is read, one is
   fetched that is read PAGE_AHEAD units later, after the last keys the first values. */
#define PAGE_LINE 16

static inline __attribute__((always_inline)) void page_integer_scores_of(const PageBlock *block, int64_t first,
                                                                         const int32_t *rows, const float *row_scales,
                                                                         float *scores, const int count) {
  const int64_t pairs = block->size / 2, step = block->key_step;
  const int64_t later = first / PAGE_UNIT + PAGE_AHEAD, are_last = later >= block->units;
  const int64_t ahead_step = are_last ? PAGE_LINE : step;
  const int32_t *keys[STRIP_VECTORS], *ahead[STRIP_VECTORS];
  Ints sums[STRIP_ROWS][STRIP_VECTORS] = {};
#pragma GCC unroll 4
  for (int v = 0; v < STRIP_VECTORS; v++) {
    const int64_t key = first + v * LANES, unit = key / PAGE_UNIT;
    keys[v] = (const int32_t *)block->keys[unit] + key % PAGE_UNIT;
    ahead[v] = are_last ? block->values[unit % PAGE_AHEAD] : block->keys[unit + PAGE_AHEAD];
  }
  for (int64_t i = 0; i < pairs; i++) {
    Ints line[STRIP_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < STRIP_VECTORS; v++) {
      line[v] = load_ints(keys[v] + i * step);
      if (v * LANES % PAGE_UNIT == 0) __builtin_prefetch(ahead[v] + i * ahead_step);
    }
#pragma GCC unroll 6
    for (int r = 0; r < count; r++) {
      const Ints pair = splat_pair(rows + r * pairs + i);
#pragma GCC unroll 4
      for (int v = 0; v < STRIP_VECTORS; v++) sums[r][v] = add_pair_products(sums[r][v], pair, line[v]);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < STRIP_VECTORS; v++) {
    const int64_t key = first + v * LANES;
    const Floats key_scale = load(block->key_scales[key / PAGE_UNIT] + key % PAGE_UNIT);
#pragma GCC unroll 6
    for (int r = 0; r < count; r++)
      store(scores + r * PAGE_BLOCK + key, floats_of(sums[r][v]) * splat(row_scales[r]) * key_scale);
  }
}
static __attribute__((noinline)) void page_integer_strip(const PageBlock *block, int64_t first, const PageRows *rows,
                                                         int64_t row, int64_t count, float *scores) {
  const int32_t *rotated = (const int32_t *)rows->rotated + row * (block->size / 2);
  const float *scales = rows->scales + row;
  WITH_ROWS(count, page_integer_scores_of, block, first, rotated, scales, scores)
}

/* The sum of lanes, halves by halves. */
static inline float page_sum_lanes(Floats x) {
#pragma GCC unroll 4
  for (int step = LANES / 2; step > 0; step /= 2) x += __builtin_shuffle(x, LANE_NUMBERS ^ step);
  return x[0];
}

/* Shares, times the scales of values, of PAGE_WIDE vectors of scores; what is not seen has none, whatever scale it has. */
static inline __attribute__((always_inline)) void page_scale_shares(const PageBlock *block, float *scores, int64_t first,
                                                                    float largest, Floats *sum, Floats *squares,
                                                                    const int are_all_seen) {
#pragma GCC unroll 4
  for (int v = 0; v < PAGE_WIDE; v++) {
    const int64_t at = first + v * LANES;
    const Floats score = load(scores + at), share = share_of_score(score - splat(largest));
    Floats scaled = share * load(block->value_scales[at / PAGE_UNIT] + at % PAGE_UNIT);
    if (!are_all_seen) scaled = (Floats)((Ints)scaled & (score != splat(-INFINITY)));
    sum[v] += share;
    squares[v] += scaled * scaled;
    store(scores + at, scaled);
  }
}

/* Rows take each step together, so that none waits for the end of the step before. */
static void page_integer_share(const PageBlock *block, const PageRows *rows, const PageShares *shares, float *largest,
                               float *sums) {
  enum { STEP = PAGE_WIDE * LANES };
  float *lengths = shares->scales;
  for (int64_t row = 0; row < rows->count; row++)
    largest[row] = page_largest(shares->scores + row * PAGE_BLOCK, rows->seen[row]);
  for (int64_t row = 0; row < rows->count; row++) {
    Floats sum[PAGE_WIDE] = {}, squares[PAGE_WIDE] = {};
    float *scores = shares->scores + row * PAGE_BLOCK;
    const int64_t seen = rows->seen[row], whole = seen / STEP * STEP;
    for (int64_t j = 0; j < whole; j += STEP) page_scale_shares(block, scores, j, largest[row], sum, squares, 1);
    if (whole < seen) page_scale_shares(block, scores, whole, largest[row], sum, squares, 0);
    store(sums + row * LANES, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    lengths[row] = sqrtf(page_sum_lanes((squares[0] + squares[1]) + (squares[2] + squares[3])));
  }
  for (int64_t row = 0; row < rows->count; row++) {
    const float *scores = shares->scores + row * PAGE_BLOCK;
    int16_t *rounded = shares->shares + row * PAGE_BLOCK;
    const int64_t end = round_up(rows->seen[row], STEP);
    const Floats inverse = splat(lengths[row] > 1e-18f ? PAGE_SHARE_LENGTH / lengths[row] : 0);
    for (int64_t j = 0; j < end; j += LANES) store_integers16(rounded + j, load(scores + j) * inverse);
    memset(rounded + end, 0, (PAGE_BLOCK - end) * sizeof(int16_t));
    shares->scales[row] = lengths[row] / PAGE_SHARE_LENGTH;
  }
}

/* mixed[r][column ...] += sum of shares[r][j] * value j over the positions of units `from` ... `to` - 1 */
static inline __attribute__((always_inline)) void page_integer_mix_of(const PageBlock *block, int64_t from, int64_t to,
                                                                      int64_t column, const int16_t *shares,
                                                                      const float *scales, float *mixed,
                                                                      const int vectors, const int count) {
  const int64_t size = block->size;
  Ints sums[STRIP_ROWS][STRIP_VECTORS] = {};
  for (int64_t unit = from; unit < to; unit++) {
    const int64_t later = unit + PAGE_AHEAD, are_last = later >= block->units;
    const int64_t step = are_last ? block->key_step : PAGE_LINE;
    const int32_t *values = (const int32_t *)block->values[unit] + column;
    const int32_t *ahead = are_last ? block->next_keys[unit % PAGE_AHEAD] : block->values[later];
    const int16_t *of = shares + unit * PAGE_UNIT;
    ahead += column / PAGE_LINE * step;
    for (int64_t i = 0; i < PAGE_UNIT / 2; i++, values += size, ahead += size / PAGE_LINE * step, of += 2) {
      Ints line[STRIP_VECTORS];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) {
        line[v] = load_ints(values + v * LANES);
        if (v * LANES % PAGE_LINE == 0) __builtin_prefetch(ahead + v * LANES / PAGE_LINE * step);
      }
#pragma GCC unroll 6
      for (int r = 0; r < count; r++) {
        const Ints pair = splat_pair(of + r * PAGE_BLOCK);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) sums[r][v] = add_pair_products(sums[r][v], pair, line[v]);
      }
    }
  }
  mixed += column;
#pragma GCC unroll 6
  for (int r = 0; r < count; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      float *at = mixed + r * size + v * LANES;
      store(at, multiply_add(floats_of(sums[r][v]), splat(scales[r]), load(at)));
    }
}
#define DEFINE_PAGE_INTEGER_MIX(vectors)                                                                             \
  static __attribute__((noinline)) void page_integer_mix_##vectors(const PageBlock *block, int64_t from, int64_t to, \
                                                                   int64_t column, const int16_t *shares,            \
                                                                   const float *scales, float *mixed,                \
                                                                   int64_t count) {                                  \
    WITH_ROWS(count, page_integer_mix_of, block, from, to, column, shares, scales, mixed, vectors)                   \
  }
#if STRIP_VECTORS == 4
DEFINE_PAGE_INTEGER_MIX(1)
DEFINE_PAGE_INTEGER_MIX(4)
#endif
DEFINE_PAGE_INTEGER_MIX(2)

/* The same for all columns. */
static void page_integer_mix_columns(const PageBlock *block, int64_t from, int64_t to, const int16_t *shares,
                                     const float *scales, float *mixed, int64_t count) {
  int64_t column = 0;
#if STRIP_VECTORS == 4
  for (; column + 4 * LANES <= block->size; column += 4 * LANES)
    page_integer_mix_4(block, from, to, column, shares, scales, mixed, count);
#endif
  for (; column + 2 * LANES <= block->size; column += 2 * LANES)
    page_integer_mix_2(block, from, to, column, shares, scales, mixed, count);
#if STRIP_VECTORS == 4
  if (column < block->size) page_integer_mix_1(block, from, to, column, shares, scales, mixed, count);
#endif
}

/* All rows of a strip go as far as the last sees: shares past a row's keys are zeros. Sums become floats panel by panel. */
static void page_integer_mix(const PageBlock *block, const PageRows *rows, const PageShares *shares, float *mixed) {
  enum { UNITS = PAGE_PANEL / PAGE_UNIT };
  const int64_t size = block->size;
  memset(mixed, 0, rows->count * size * sizeof(float));
  for (int64_t unit = 0; unit * PAGE_UNIT < rows->seen[rows->count - 1]; unit += UNITS)
    for (int64_t row = 0; row < rows->count; row += STRIP_ROWS) {
      const int64_t count = attention_min(rows->count - row, STRIP_ROWS);
      const int64_t end = (rows->seen[row + count - 1] + PAGE_UNIT - 1) / PAGE_UNIT;
      if (unit < end)
        page_integer_mix_columns(block, unit, attention_min(end, unit + UNITS), shares->shares + row * PAGE_BLOCK,
                                 shares->scales + row, mixed + row * size, count);
    }
}

static const PageKind PAGES_OF_INTEGERS = {page_integer_strip, page_integer_share, page_integer_mix};

#endif

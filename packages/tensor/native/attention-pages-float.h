/* Products of rows with a block of keys or values in float32. A sum runs over dimensions or positions in their order, one at
   a time, whatever rows are beside it and wherever it is interrupted: the bits of a row do not depend on how it is
   computed. */
#ifndef FLACUNA_ATTENTION_PAGES_FLOAT_H
#define FLACUNA_ATTENTION_PAGES_FLOAT_H
#include "attention-pages.h"

/* scores[r][j] = rows[r] . key j for STRIP_COLUMNS keys from `first` on; rows: [rows][size], scores: [rows][PAGE_BLOCK] */
static inline __attribute__((always_inline)) void page_float_scores_of(const PageBlock *block, int64_t first,
                                                                       const float *rows, float *scores,
                                                                       const int count) {
  const int64_t size = block->size, step = block->key_step;
  const float *keys[STRIP_VECTORS];
#pragma GCC unroll 4
  for (int v = 0; v < STRIP_VECTORS; v++) {
    const int64_t key = first + v * LANES;
    keys[v] = (const float *)block->keys[key / PAGE_UNIT] + key % PAGE_UNIT;
  }
  Floats sums[STRIP_ROWS][STRIP_VECTORS] = {};
  for (int64_t d = 0; d < size; d++) {
    Floats line[STRIP_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < STRIP_VECTORS; v++) line[v] = load(keys[v] + d * step);
#pragma GCC unroll 6
    for (int r = 0; r < count; r++) {
      const Floats element = splat(rows[r * size + d]);
#pragma GCC unroll 4
      for (int v = 0; v < STRIP_VECTORS; v++) sums[r][v] += element * line[v];
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < count; r++)
#pragma GCC unroll 4
    for (int v = 0; v < STRIP_VECTORS; v++) store(scores + r * PAGE_BLOCK + first + v * LANES, sums[r][v]);
}
static __attribute__((noinline)) void page_float_strip(const PageBlock *block, int64_t first, const PageRows *rows,
                                                       int64_t row, int64_t count, float *scores) {
  const float *rotated = (const float *)rows->rotated + row * block->size;
  WITH_ROWS(count, page_float_scores_of, block, first, rotated, scores)
}

/* 2^x for x <= 0, to about 2e-7 relative; never below 2^-126; NaN stays NaN. */
static inline Floats page_share(Floats x) {
  x = max_floats(splat(-126.0f), x);
  const Floats magic = splat(12583039.0f); /* as in exp2_floats */
  const Floats shifted = x + magic, part = x - (shifted - magic);
  Floats p = splat(1.3264725e-3f);
  p = p * part + splat(9.6715130e-3f);
  p = p * part + splat(5.5507336e-2f);
  p = p * part + splat(2.4022242e-1f);
  p = p * part + splat(6.9314700e-1f);
  p = p * part + splat(1.0f);
  return p * (Floats)((Ints)shifted << 23);
}

static void page_float_share(const PageBlock *block, const PageRows *rows, const PageShares *shares, float *largest,
                             float *sums) {
  (void)block;
  for (int64_t row = 0; row < rows->count; row++) {
    float *scores = shares->scores + row * PAGE_BLOCK;
    Floats sum[PAGE_WIDE] = {};
    largest[row] = page_largest(scores, rows->seen[row]);
    for (int64_t j = 0; j < rows->seen[row]; j += PAGE_WIDE * LANES)
#pragma GCC unroll 4
      for (int v = 0; v < PAGE_WIDE; v++) {
        const Floats share = page_share(load(scores + j + v * LANES) - splat(largest[row]));
        sum[v] += share;
        store(scores + j + v * LANES, share);
      }
    store(sums + row * LANES, (sum[0] + sum[1]) + (sum[2] + sum[3]));
  }
}

/* mixed[r][column ...] += sum of shares[r][j] * value j over j = from ... to - 1, begun with what mixed holds;
   shares: [rows][PAGE_BLOCK], mixed: [rows][size] */
static inline __attribute__((always_inline)) void page_float_mix_of(const PageBlock *block, int64_t from, int64_t to,
                                                                    int64_t column, const float *shares, float *mixed,
                                                                    const int vectors, const int count) {
  const int64_t size = block->size;
  mixed += column;
  Floats sums[STRIP_ROWS][STRIP_VECTORS];
#pragma GCC unroll 6
  for (int r = 0; r < count; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) sums[r][v] = load(mixed + r * size + v * LANES);
  for (int64_t j = from; j < to;) {
    const float *values = (const float *)block->values[j / PAGE_UNIT] + column;
    const int64_t end = attention_min(to, (j / PAGE_UNIT + 1) * PAGE_UNIT);
    for (; j < end; j++) {
      Floats line[STRIP_VECTORS];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) line[v] = load(values + j % PAGE_UNIT * size + v * LANES);
#pragma GCC unroll 6
      for (int r = 0; r < count; r++) {
        const Floats share = splat(shares[r * PAGE_BLOCK + j]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) sums[r][v] += share * line[v];
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < count; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) store(mixed + r * size + v * LANES, sums[r][v]);
}
#define DEFINE_PAGE_FLOAT_MIX(vectors)                                                                             \
  static __attribute__((noinline)) void page_float_mix_##vectors(const PageBlock *block, int64_t from, int64_t to, \
                                                                 int64_t column, const float *shares,              \
                                                                 float *mixed, int64_t count) {                    \
    WITH_ROWS(count, page_float_mix_of, block, from, to, column, shares, mixed, vectors)                           \
  }
#if STRIP_VECTORS == 4
DEFINE_PAGE_FLOAT_MIX(1)
DEFINE_PAGE_FLOAT_MIX(4)
#endif
DEFINE_PAGE_FLOAT_MIX(2)

/* The same for all columns. */
static void page_float_mix_columns(const PageBlock *block, int64_t from, int64_t to, const float *shares, float *mixed,
                                   int64_t count) {
  int64_t column = 0;
#if STRIP_VECTORS == 4
  for (; column + 4 * LANES <= block->size; column += 4 * LANES)
    page_float_mix_4(block, from, to, column, shares, mixed, count);
#endif
  for (; column + 2 * LANES <= block->size; column += 2 * LANES)
    page_float_mix_2(block, from, to, column, shares, mixed, count);
#if STRIP_VECTORS == 4
  if (column < block->size) page_float_mix_1(block, from, to, column, shares, mixed, count);
#endif
}

/* A strip's rows go together as far as the first sees, and on alone: what lies past a row's keys is nobody's. */
static void page_float_mix(const PageBlock *block, const PageRows *rows, const PageShares *shares, float *mixed) {
  const int64_t size = block->size, *seen = rows->seen;
  memset(mixed, 0, rows->count * size * sizeof(float));
  for (int64_t key = 0; key < seen[rows->count - 1]; key += PAGE_PANEL)
    for (int64_t row = 0; row < rows->count; row += STRIP_ROWS) {
      const int64_t count = attention_min(rows->count - row, STRIP_ROWS), limit = key + PAGE_PANEL;
      const int64_t common = attention_min(seen[row], limit), next = attention_max(common, key);
      const float *of = shares->scores + row * PAGE_BLOCK;
      if (key < common) page_float_mix_columns(block, key, common, of, mixed + row * size, count);
      if (next >= attention_min(seen[row + count - 1], limit)) continue;
      for (int64_t r = 0; r < count; r++) {
        const int64_t last = attention_min(seen[row + r], limit);
        if (next < last) page_float_mix_columns(block, next, last, of + r * PAGE_BLOCK, mixed + (row + r) * size, 1);
      }
    }
}

static const PageKind PAGES_OF_FLOATS = {page_float_strip, page_float_share, page_float_mix};

#endif

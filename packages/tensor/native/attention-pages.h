/* Products of rows with one block of keys or values, which lie in pages of float16 or float32. A sum runs over dimensions
   or positions in their order, one at a time, whatever rows are beside it and wherever it is interrupted: the bits of a row
   do not depend on how it is computed. */
#ifndef FLACUNA_ATTENTION_PAGES_H
#define FLACUNA_ATTENTION_PAGES_H
#include "attention-product.h"
#include "attention-rows.h"

/* Positions of a block, counted from the sequence's first: shares are relative to the largest score of their block. */
#define PAGE_BLOCK 256
/* Positions that lie side by side, whatever the size of pages. */
#define PAGE_UNIT 16
#define PAGE_UNITS (PAGE_BLOCK / PAGE_UNIT)
/* Units that are fetched from memory before their turn. Pages lie anywhere, so the processor does not foresee them. */
#define PAGE_AHEAD 4

/* The keys and values of one block and head, by units; all units point somewhere that can be read. After them comes what is
   read next: after the keys the first values, after the values the first keys of the next block. */
typedef struct {
  const void *keys[PAGE_UNITS + PAGE_AHEAD];   /* dimension d at d * key_step */
  const void *values[PAGE_UNITS + PAGE_AHEAD]; /* position i at i * size */
  int64_t size, key_step;
  int is_half;
} PageBlock;

static inline __attribute__((always_inline)) Floats load_page(const void *from, int64_t at, const int is_half) {
  return is_half ? load_float16((const uint16_t *)from + at) : load((const float *)from + at);
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

/* Runs `body`, an always-inlined function whose last two arguments are constants, with 1 ... STRIP_ROWS rows. */
#define WITH_ROWS(rows, is_half, body, ...)                                \
  switch ((rows) * 2 + (is_half)) {                                        \
    case 2: body(__VA_ARGS__, 1, 0); break;                                \
    case 3: body(__VA_ARGS__, 1, 1); break;                                \
    case 4: body(__VA_ARGS__, 2, 0); break;                                \
    case 5: body(__VA_ARGS__, 2, 1); break;                                \
    case 6: body(__VA_ARGS__, 3, 0); break;                                \
    case 7: body(__VA_ARGS__, 3, 1); break;                                \
    case 8: body(__VA_ARGS__, 4, 0); break;                                \
    case 9: body(__VA_ARGS__, 4, 1); break;                                \
    case 10: body(__VA_ARGS__, 5, 0); break;                               \
    case 11: body(__VA_ARGS__, 5, 1); break;                               \
    case 12: body(__VA_ARGS__, 6, 0); break;                               \
    default: body(__VA_ARGS__, 6, 1); break;                               \
  }

/* scores[r][j] = rows[r] . key j for STRIP_COLUMNS keys from `first` on; rows: [rows][size], scores: [rows][PAGE_BLOCK] */
static inline __attribute__((always_inline)) void page_scores_of(const PageBlock *block, int64_t first, const float *rows,
                                                                 float *scores, const int count, const int is_half) {
  const int64_t size = block->size, step = block->key_step;
  const void *const *ahead = block->keys + first / PAGE_UNIT + PAGE_AHEAD;
  const char *keys[STRIP_VECTORS];
#pragma GCC unroll 4
  for (int v = 0; v < STRIP_VECTORS; v++) {
    const int64_t key = first + v * LANES;
    keys[v] = (const char *)block->keys[key / PAGE_UNIT] + key % PAGE_UNIT * (is_half ? 2 : 4);
  }
  Floats sums[STRIP_ROWS][STRIP_VECTORS] = {};
  for (int64_t d = 0; d < size; d++) {
    Floats line[STRIP_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < STRIP_VECTORS; v++) line[v] = load_page(keys[v], d * step, is_half);
    if (is_half) { /* in a line of memory are two units of a dimension */
      __builtin_prefetch((const uint16_t *)ahead[0] + d * step);
      __builtin_prefetch((const uint16_t *)ahead[2] + d * step);
    }
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
static __attribute__((noinline)) void page_scores(const PageBlock *block, int64_t first, const float *rows, float *scores,
                                                  int64_t count) {
  WITH_ROWS(count, block->is_half, page_scores_of, block, first, rows, scores)
}

/* mixed[r][column ...] += sum of shares[r][j] * value j over j = from ... to - 1, begun with what mixed holds;
   shares: [rows][PAGE_BLOCK], mixed: [rows][size] */
static inline __attribute__((always_inline)) void page_mix_of(const PageBlock *block, int64_t from, int64_t to,
                                                              int64_t column, const float *shares, float *mixed,
                                                              const int vectors, const int count, const int is_half) {
  const int64_t size = block->size;
  mixed += column;
  Floats sums[STRIP_ROWS][STRIP_VECTORS];
#pragma GCC unroll 6
  for (int r = 0; r < count; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) sums[r][v] = load(mixed + r * size + v * LANES);
  for (int64_t j = from; j < to;) {
    const void *values = block->values[j / PAGE_UNIT], *ahead = block->values[j / PAGE_UNIT + PAGE_AHEAD];
    const int64_t end = attention_min(to, (j / PAGE_UNIT + 1) * PAGE_UNIT);
    for (; j < end; j++) {
      Floats line[STRIP_VECTORS];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++)
        line[v] = load_page(values, j % PAGE_UNIT * size + column + v * LANES, is_half);
      if (is_half)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v += 32 / LANES)
          __builtin_prefetch((const uint16_t *)ahead + j % PAGE_UNIT * size + column + v * LANES);
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
#define DEFINE_PAGE_MIX(vectors)                                                                                       \
  static __attribute__((noinline)) void page_mix_##vectors(const PageBlock *block, int64_t from, int64_t to,           \
                                                           int64_t column, const float *shares, float *mixed,          \
                                                           int64_t count) {                                            \
    WITH_ROWS(count, block->is_half, page_mix_of, block, from, to, column, shares, mixed, vectors)                     \
  }
#if STRIP_VECTORS == 4
DEFINE_PAGE_MIX(1)
DEFINE_PAGE_MIX(4)
#endif
DEFINE_PAGE_MIX(2)

/* The same for all columns. */
static void page_mix(const PageBlock *block, int64_t from, int64_t to, const float *shares, float *mixed, int64_t count) {
  int64_t column = 0;
#if STRIP_VECTORS == 4
  for (; column + 4 * LANES <= block->size; column += 4 * LANES)
    page_mix_4(block, from, to, column, shares, mixed, count);
#endif
  for (; column + 2 * LANES <= block->size; column += 2 * LANES)
    page_mix_2(block, from, to, column, shares, mixed, count);
#if STRIP_VECTORS == 4
  if (column < block->size) page_mix_1(block, from, to, column, shares, mixed, count);
#endif
}

#endif

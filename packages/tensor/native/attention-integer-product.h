/* Small dense products of 16-bit integers with exact 32-bit sums: the inner loops of attention-integers.h. The scales of
   an operand belong to its rows or columns, never to its depth, so that they come out of the sum. */
#ifndef FLACUNA_ATTENTION_INTEGER_PRODUCT_H
#define FLACUNA_ATTENTION_INTEGER_PRODUCT_H
#include "attention-product.h"
#include "attention-rows.h"
#include "integers16.h"

/* C[r][j] = row_scale[r] * column_scale[j] * sum_k A[r][k] * B[k][j], added to C[r][j] if so asked; the pair 2k, 2k + 1
   of A at a[r * a_row + k * a_depth] and of B at b[k * b_row + j]. */
typedef struct {
  const int32_t *a;
  int64_t a_row, a_depth;
  const int32_t *b;
  int64_t b_row;
  const float *row_scale, *column_scale;
  float *c;
  int64_t c_row;
  int64_t pairs;
  int add;
} PairProduct;

static inline __attribute__((always_inline)) void pair_product(const PairProduct *p, const int rows,
                                                               const int vectors) {
  const int32_t *a = p->a, *b = p->b;
  const int64_t a_row = p->a_row, a_depth = p->a_depth, b_row = p->b_row;
  Ints sums[STRIP_ROWS][STRIP_VECTORS] = {};
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) __builtin_prefetch(p->c + r * p->c_row + v * LANES, 1);
  for (int64_t k = p->pairs; k > 0; k--, a += a_depth, b += b_row) {
    Ints line[STRIP_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) line[v] = (Ints)_mm512_loadu_si512(b + v * LANES);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      const Ints pair = (Ints)_mm512_set1_epi32(a[r * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sums[r][v] = add_pair_products(sums[r][v], pair, line[v]);
    }
  }
  float *c = p->c;
  const int64_t c_row = p->c_row;
  const int add = p->add;
  Floats column_scale[STRIP_VECTORS];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) column_scale[v] = load(p->column_scale + v * LANES);
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++, c += c_row) {
    const Floats row_scale = splat(p->row_scale[r]);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      const Floats value = (Floats)_mm512_cvtepi32_ps((__m512i)sums[r][v]) * row_scale * column_scale[v];
      store(c + v * LANES, add ? load(c + v * LANES) + value : value);
    }
  }
}

#define DEFINE_PAIRS(rows, vectors) \
  static void pair_product_##rows##_##vectors(const PairProduct *p) { pair_product(p, rows, vectors); }
#define DEFINE_ALL_PAIRS(vectors)                                            \
  DEFINE_PAIRS(1, vectors) DEFINE_PAIRS(2, vectors) DEFINE_PAIRS(3, vectors) \
  DEFINE_PAIRS(4, vectors) DEFINE_PAIRS(5, vectors) DEFINE_PAIRS(6, vectors)
#define NAME_ALL_PAIRS(vectors)                                                          \
  {                                                                                      \
    pair_product_1_##vectors, pair_product_2_##vectors, pair_product_3_##vectors,        \
        pair_product_4_##vectors, pair_product_5_##vectors, pair_product_6_##vectors,    \
  }
DEFINE_ALL_PAIRS(1)
DEFINE_ALL_PAIRS(2)
DEFINE_ALL_PAIRS(3)
DEFINE_ALL_PAIRS(4)
static void (*const pair_products[STRIP_VECTORS][STRIP_ROWS])(const PairProduct *) = {
    NAME_ALL_PAIRS(1), NAME_ALL_PAIRS(2), NAME_ALL_PAIRS(3), NAME_ALL_PAIRS(4)};

/* As product_of_panels: B is in panels [column / STRIP_COLUMNS][pairs][STRIP_COLUMNS]. */
static void pair_product_of_panels(const PairProduct *whole, int64_t rows, int64_t columns,
                                   const AttentionRange *ranges) {
  for (int64_t panel = 0; panel < columns; panel += STRIP_COLUMNS)
    for (int64_t row = 0; row < rows; row += STRIP_ROWS) {
      const AttentionRange range = ranges[row / STRIP_ROWS];
      const int64_t low = attention_max(range.low, panel) / LANES * LANES;
      const int64_t high = attention_min(range.high, panel + STRIP_COLUMNS);
      if (low >= high) continue;
      PairProduct part = *whole;
      part.a += row * part.a_row;
      part.b += panel * part.pairs + (low - panel);
      part.b_row = STRIP_COLUMNS;
      part.row_scale += row;
      part.column_scale += low;
      part.c += row * part.c_row + low;
      pair_products[(high - low - 1) / LANES][attention_min(rows - row, STRIP_ROWS) - 1](&part);
    }
}

/* As product_over_ranges; the ranges are of single values. */
static void pair_product_over_ranges(const PairProduct *whole, int64_t rows, int64_t columns,
                                     const AttentionRange *ranges) {
  const int64_t passes = (columns + STRIP_COLUMNS - 1) / STRIP_COLUMNS;
  const int64_t width = (columns / LANES + passes - 1) / passes * LANES;
  for (int64_t column = 0; column < columns; column += width)
    for (int64_t row = 0; row < rows; row += STRIP_ROWS) {
      const AttentionRange range = ranges[row / STRIP_ROWS];
      if (range.low >= range.high) continue;
      PairProduct part = *whole;
      part.a += row * part.a_row + range.low / 2 * part.a_depth;
      part.b += range.low / 2 * part.b_row + column;
      part.row_scale += row;
      part.column_scale += column;
      part.c += row * part.c_row + column;
      part.pairs = (range.high + 1) / 2 - range.low / 2;
      part.add = 1;
      const int64_t vectors = attention_min(columns - column, width) / LANES;
      pair_products[vectors - 1][attention_min(rows - row, STRIP_ROWS) - 1](&part);
    }
}

/* ---- rounding to integers ------------------------------------------------------------------------------ */

/* The largest integer of which `depth` products still fit 32 bits. */
static inline float integer_bound(int64_t depth) { return fminf(32767.0f, floorf(sqrtf(2147483520.0f / depth))); }

/* One row of float32 -> width / 2 pairs, zeros from `size` on; the row's scale is returned. */
static float integer_row(const float *x, int64_t size, int64_t width, float bound, int32_t *pairs) {
  Ints largest = {};
  Floats inverse;
  for (int64_t i = 0; i < size; i += LANES) largest = larger_magnitude(largest, load(x + i));
  const float scale = integer_scale(largest, bound, &inverse);
  for (int64_t i = 0; i < size; i += LANES) store_integers(pairs + i / 2, load(x + i) * inverse);
  memset(pairs + size / 2, 0, (width - size) * sizeof(int16_t));
  return scale;
}

/* rows [STRIP_COLUMNS tokens][depth pairs] -> a panel [depth pairs][STRIP_COLUMNS]; depth: a multiple of LANES */
static void turn_pairs(const int32_t *rows, int64_t depth, int32_t *panel) {
  for (int64_t token = 0; token < STRIP_COLUMNS; token += LANES)
    for (int64_t i = 0; i < depth; i += LANES) {
      Floats square[LANES];
#pragma GCC unroll 16
      for (int j = 0; j < LANES; j++) square[j] = (Floats)_mm512_loadu_si512(rows + (token + j) * depth + i);
      transpose_square(square);
#pragma GCC unroll 16
      for (int j = 0; j < LANES; j++)
        _mm512_storeu_si512(panel + (i + j) * STRIP_COLUMNS + token, (__m512i)square[j]);
    }
}

#endif

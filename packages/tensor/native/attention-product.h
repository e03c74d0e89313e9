/* Small dense float32 products held in registers: the inner loops of attention-float.h. A is read one element at a
   time, so it may lie either way; B and C are read in vectors along their rows. */
#ifndef FLACUNA_ATTENTION_PRODUCT_H
#define FLACUNA_ATTENTION_PRODUCT_H
#include "attention-common.h"
#include "vector.h"

/* A strip of C in registers: as many rows by as many vectors as leave room for a row of B and an element of A. */
#define STRIP_ROWS 6
#if defined(PATH_AVX512) || defined(__aarch64__)
#define STRIP_VECTORS 4
#else
#define STRIP_VECTORS 2
#endif
#define STRIP_COLUMNS (STRIP_VECTORS * LANES)

/* C[r][j] = sum_k A[r][k] * B[k][j], added to C[r][j] if so asked, with A[r][k] at a[r * a_row + k * a_depth]. */
typedef struct {
  const float *a;
  int64_t a_row, a_depth;
  const float *b;
  int64_t b_row;
  float *c;
  int64_t c_row;
  int64_t depth;
  int add;
} StripProduct;

static inline __attribute__((always_inline)) void strip_product(const StripProduct *p, const int rows,
                                                                const int vectors) {
  const float *a = p->a, *b = p->b;
  const int64_t a_row = p->a_row, a_depth = p->a_depth, b_row = p->b_row;
  Floats sums[STRIP_ROWS][STRIP_VECTORS] = {};
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors * LANES; v += 16) __builtin_prefetch(p->c + r * p->c_row + v, 1);
  for (int64_t k = p->depth; k > 0; k--, a += a_depth, b += b_row) {
    Floats line[STRIP_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) line[v] = load(b + v * LANES);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      Floats element = splat(a[r * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sums[r][v] += element * line[v];
    }
  }
  float *c = p->c;
  const int64_t c_row = p->c_row;
  const int add = p->add;
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++, c += c_row)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) store(c + v * LANES, add ? load(c + v * LANES) + sums[r][v] : sums[r][v]);
}

#define DEFINE_STRIP(rows, vectors) \
  static void strip_product_##rows##_##vectors(const StripProduct *p) { strip_product(p, rows, vectors); }
#define DEFINE_STRIPS(vectors)                                               \
  DEFINE_STRIP(1, vectors) DEFINE_STRIP(2, vectors) DEFINE_STRIP(3, vectors) \
  DEFINE_STRIP(4, vectors) DEFINE_STRIP(5, vectors) DEFINE_STRIP(6, vectors)
#define NAME_STRIPS(vectors)                                                                   \
  {                                                                                            \
    strip_product_1_##vectors, strip_product_2_##vectors, strip_product_3_##vectors,           \
        strip_product_4_##vectors, strip_product_5_##vectors, strip_product_6_##vectors,       \
  }
DEFINE_STRIPS(1)
DEFINE_STRIPS(2)
#if STRIP_VECTORS == 4
DEFINE_STRIPS(3)
DEFINE_STRIPS(4)
#endif
static void (*const strip_products[STRIP_VECTORS][STRIP_ROWS])(const StripProduct *) = {
    NAME_STRIPS(1),
    NAME_STRIPS(2),
#if STRIP_VECTORS == 4
    NAME_STRIPS(3),
    NAME_STRIPS(4),
#endif
};

/* C = A B for `rows` rows, in each strip only the vectors that hold its range of columns; the rest of C is left alone.
   B is in panels [column / STRIP_COLUMNS][depth][STRIP_COLUMNS]. */
static void product_of_panels(const StripProduct *whole, int64_t rows, int64_t columns, const AttentionRange *ranges) {
  for (int64_t panel = 0; panel < columns; panel += STRIP_COLUMNS)
    for (int64_t row = 0; row < rows; row += STRIP_ROWS) {
      const AttentionRange range = ranges[row / STRIP_ROWS];
      const int64_t low = attention_max(range.low, panel) / LANES * LANES;
      const int64_t high = attention_min(range.high, panel + STRIP_COLUMNS);
      if (low >= high) continue;
      StripProduct part = *whole;
      part.a += row * part.a_row;
      part.b += panel * part.depth + (low - panel);
      part.b_row = STRIP_COLUMNS;
      part.c += row * part.c_row + low;
      part.add = 0;
      strip_products[(high - low - 1) / LANES][attention_min(rows - row, STRIP_ROWS) - 1](&part);
    }
}

/* C += A B for `rows` rows, each strip only over its range of the depth; columns: a multiple of LANES. */
static void product_over_ranges(const StripProduct *whole, int64_t rows, int64_t columns,
                                const AttentionRange *ranges) {
  const int64_t passes = (columns + STRIP_COLUMNS - 1) / STRIP_COLUMNS;
  const int64_t width = (columns / LANES + passes - 1) / passes * LANES;
  for (int64_t column = 0; column < columns; column += width)
    for (int64_t row = 0; row < rows; row += STRIP_ROWS) {
      const AttentionRange range = ranges[row / STRIP_ROWS];
      if (range.low >= range.high) continue;
      StripProduct part = *whole;
      part.a += row * part.a_row + range.low * part.a_depth;
      part.b += range.low * part.b_row + column;
      part.c += row * part.c_row + column;
      part.depth = range.high - range.low;
      part.add = 1;
      strip_products[attention_min(columns - column, width) / LANES - 1][attention_min(rows - row, STRIP_ROWS) - 1](
          &part);
    }
}

#endif

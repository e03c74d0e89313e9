/* The panel products of many rows in 16-bit integers: x rounded to 12 bits and weights to 11 beside their signs, with one
   scale for each row and each column of a slice of the depth. A rounded row or column is at most 0.0012 of its length
   off, as with bfloat16, and the sums of a slice are exact. */
#ifndef FLACUNA_LINEAR_PANELS_INTEGERS_H
#define FLACUNA_LINEAR_PANELS_INTEGERS_H
#include "integers16.h"
#include "linear-panels-common.h"

/* Rows of a register tile, which is two vectors wide. */
#define PANEL_TILE_ROWS 12
#define PANEL_DEPTH 256
#define PANEL_SHORT_DEPTH PANEL_DEPTH
/* Products of these bounds, PANEL_DEPTH of them, are less than 2^31. */
#define PANEL_X_BOUND 4095.0f
#define PANEL_WEIGHT_BOUND 2047.0f

/* A slice of a tile of x: [16] scales, of which each row has one, then [slice / 2][PANEL_TILE_ROWS] pairs. */
static inline int64_t panel_slice_words(const PanelWork *work) { return 16 + work->slice / 2 * PANEL_TILE_ROWS; }
static inline int64_t panel_tile_words(const PanelWork *work) {
  return (work->depth + work->slice - 1) / work->slice * panel_slice_words(work);
}
static inline int64_t panel_tile_bytes(const PanelWork *work) { return panel_tile_words(work) * sizeof(int32_t); }

/* `count` values to every PANEL_TILE_ROWS-th of `depth / 2` pairs, zeros at their end; their scale is returned. */
static float panel_round_row(const float *x, int64_t count, int64_t depth, int32_t *pairs) {
  int32_t row[PANEL_DEPTH / 2] = {0};
  Ints largest = {};
  Floats inverse;
  for (int64_t i = 0; i < count; i += LANES) largest = larger_magnitude(largest, load_first(x + i, count - i));
  const float scale = integer_scale(largest, PANEL_X_BOUND, &inverse);
  for (int64_t i = 0; i < count; i += LANES) store_integers(row + i / 2, load_first(x + i, count - i) * inverse);
  for (int64_t k = 0; k < depth / 2; k++) pairs[k * PANEL_TILE_ROWS] = row[k];
  return scale;
}

/* A tile of x; rows that it lacks are never read. */
static void panel_prepare(void *argument, size_t index) {
  const PanelWork *work = argument;
  const int64_t depth = work->depth, row = work->row_start + (int64_t)index * PANEL_TILE_ROWS;
  const int64_t rows = panel_min(work->row_stop - row, PANEL_TILE_ROWS);
  int32_t *to = (int32_t *)work->prepared + (int64_t)index * panel_tile_words(work);
  for (int64_t start = 0; start < depth; start += work->slice, to += panel_slice_words(work))
    for (int64_t r = 0; r < rows; r++) {
      const float scale = panel_round_row(work->product->x + (row + r) * depth + start,
                                          panel_min(work->slice, depth - start), work->slice, to + 16 + r);
      memcpy(to + r, &scale, sizeof scale);
    }
}

/* y[rows][2 vectors] = from (null: 0) + x[pairs][rows] * panel[pairs][2 vectors], scaled; x: a slice of a tile */
PANEL_INLINE void panel_tile(const int rows, const int32_t *x, int64_t pairs, const int32_t *panel,
                             const float *column_scale, const float *from, float *y, int64_t y_stride) {
  Ints sums[PANEL_TILE_ROWS][2];
  const int32_t *values = x + 16;
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) {
    sums[r][0] = sums[r][1] = (Ints){};
    __builtin_prefetch(y + r * y_stride, 1);
    __builtin_prefetch(y + r * y_stride + LANES, 1);
  }
  for (int64_t k = 0; k < pairs; k++, values += PANEL_TILE_ROWS, panel += PANEL_COLUMNS) {
    const Ints first = (Ints)_mm512_loadu_si512(panel), second = (Ints)_mm512_loadu_si512(panel + LANES);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      const Ints pair = (Ints)_mm512_set1_epi32(values[r]);
      sums[r][0] = add_pair_products(sums[r][0], pair, first);
      sums[r][1] = add_pair_products(sums[r][1], pair, second);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
    for (int v = 0; v < 2; v++) {
      float row_scale;
      memcpy(&row_scale, x + r, sizeof row_scale);
      Floats value = (Floats)_mm512_cvtepi32_ps((__m512i)sums[r][v]) * splat(row_scale) * load(column_scale + v * LANES);
      if (from) value += load(from + r * y_stride + v * LANES);
      store(y + r * y_stride + v * LANES, value);
    }
}

#define PANEL_TILE(n) \
  case n: panel_tile(n, x, pairs, panel, column_scale, from, y, y_stride); break;
/* The same for any number of rows, each count compiled on its own. */
static void panel_tile_of(int64_t rows, const int32_t *x, int64_t pairs, const int32_t *panel,
                          const float *column_scale, const float *from, float *y, int64_t y_stride) {
  switch (rows) {
    PANEL_TILE(1) PANEL_TILE(2) PANEL_TILE(3) PANEL_TILE(4) PANEL_TILE(5) PANEL_TILE(6)
    PANEL_TILE(7) PANEL_TILE(8) PANEL_TILE(9) PANEL_TILE(10) PANEL_TILE(11) PANEL_TILE(12)
  }
}

/* One slice of the depth of one panel, for the rows of a task. */
static void panel_slice(const PanelWork *work, int64_t start, int64_t depth, int64_t column, int64_t row,
                        int64_t row_stop) {
  const PanelProduct *p = work->product;
  const int64_t padded = round_up(depth, PANEL_BLOCK), columns = panel_min(work->columns - column, PANEL_COLUMNS);
  float *wide = scratch(1, PANEL_DEPTH * PANEL_COLUMNS * sizeof(float));
  int32_t *panel = scratch(2, PANEL_DEPTH / 2 * PANEL_COLUMNS * sizeof(int32_t));
  float column_scale[PANEL_COLUMNS], sums[PANEL_TILE_ROWS * PANEL_COLUMNS] __attribute__((aligned(64)));
  work->unpack(p, start, padded, column, wide);
  integer_columns(wide, PANEL_COLUMNS, padded, PANEL_COLUMNS, PANEL_WEIGHT_BOUND, panel, column_scale);
  const float *from = start == 0 ? p->addend : p->y;
  for (; row < row_stop; row += PANEL_TILE_ROWS) {
    const int64_t rows = panel_min(row_stop - row, PANEL_TILE_ROWS), at = row * work->columns + column;
    const int32_t *x = (const int32_t *)work->prepared +
                       (row - work->row_start) / PANEL_TILE_ROWS * panel_tile_words(work) +
                       start / work->slice * panel_slice_words(work);
    const float *before = from ? from + at : NULL;
    if (columns == PANEL_COLUMNS)
      panel_tile_of(rows, x, padded / 2, panel, column_scale, before, p->y + at, work->columns);
    else {
      panel_tile_of(rows, x, padded / 2, panel, column_scale, NULL, sums, PANEL_COLUMNS);
      panel_add(sums, rows, columns, before, p->y + at, work->columns);
    }
  }
}

#endif

/* The panel products of many rows in float32. */
#ifndef FLACUNA_LINEAR_PANELS_FLOAT_H
#define FLACUNA_LINEAR_PANELS_FLOAT_H
#include "linear-panels-common.h"

/* Rows of a register tile, which is two vectors wide. */
#ifdef __aarch64__
#define PANEL_TILE_ROWS 12
#else
#define PANEL_TILE_ROWS 6
#endif
#define PANEL_WIDTH PANEL_COLUMNS
#define PANEL_DEPTH 512
#define PANEL_SHORT_DEPTH 64 /* for few rows: the panel then stays in the first cache */

/* A tile of x: [depth][PANEL_TILE_ROWS]. */
static inline int64_t panel_tile_bytes(const PanelWork *work) {
  return PANEL_TILE_ROWS * work->depth * sizeof(float);
}

/* A register tile of x side by side: [depth][PANEL_TILE_ROWS]. In place its rows
 * would fight for cache lines. */
static void panel_prepare(void *argument, size_t index) {
  const PanelWork *work = argument;
  int64_t depth = work->depth,
          row = work->row_start + (int64_t)index * PANEL_TILE_ROWS;
  int64_t rows = panel_min(work->row_stop - row, PANEL_TILE_ROWS);
  const float *from = work->product->x + row * depth;
  float *to = (float *)work->prepared + (int64_t)index * PANEL_TILE_ROWS * depth;
  if (rows == PANEL_TILE_ROWS) {
    for (int64_t d = 0; d < depth; d++, to += PANEL_TILE_ROWS)
      for (int r = 0; r < PANEL_TILE_ROWS; r++)
        to[r] = from[r * depth + d];
    return;
  }
  for (int64_t d = 0; d < depth; d++, to += PANEL_TILE_ROWS)
    for (int64_t r = 0; r < rows; r++)
      to[r] = from[r * depth + d];
}

/* y[rows][2 vectors] = from (null: 0) + x[depth][rows] * panel[depth][2 vectors
 * of 32 columns] */
PANEL_INLINE void panel_tile(int rows, const float *x, int64_t depth,
                             const float *panel, const float *from, float *y,
                             int64_t y_stride) {
  Floats sums[PANEL_TILE_ROWS][2];
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
    sums[r][0] = sums[r][1] = (Floats){};
  for (int64_t d = 0; d < depth; d++) {
    Floats first = load(panel + d * PANEL_COLUMNS),
           second = load(panel + d * PANEL_COLUMNS + LANES);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      Floats value = splat(x[d * PANEL_TILE_ROWS + r]);
      sums[r][0] += value * first;
      sums[r][1] += value * second;
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) {
    if (from) {
      sums[r][0] += load(from + r * y_stride);
      sums[r][1] += load(from + r * y_stride + LANES);
    }
    store(y + r * y_stride, sums[r][0]);
    store(y + r * y_stride + LANES, sums[r][1]);
  }
}

#define PANEL_TILE(n)                                                          \
  case n:                                                                      \
    panel_tile(n, x, depth, panel, from, y, y_stride);                         \
    break;
/* The same for any number of rows up to PANEL_TILE_ROWS, each count compiled on its
 * own. */
static void panel_tile_of(int64_t rows, const float *x, int64_t depth,
                          const float *panel, const float *from, float *y,
                          int64_t y_stride) {
  switch (rows) {
    PANEL_TILE(1)
    PANEL_TILE(2)
    PANEL_TILE(3)
    PANEL_TILE(4)
    PANEL_TILE(5)
    PANEL_TILE(6)
#if PANEL_TILE_ROWS > 6
    PANEL_TILE(7)
    PANEL_TILE(8)
    PANEL_TILE(9)
    PANEL_TILE(10)
    PANEL_TILE(11)
    PANEL_TILE(12)
#endif
  }
}

/* One slice of the depth of one panel, for the rows of a task. */
static void panel_slice(const PanelWork *work, int64_t start, int64_t depth,
                        int64_t column, int64_t row, int64_t row_stop) {
  const PanelProduct *p = work->product;
  float *panel = scratch(1, PANEL_DEPTH * PANEL_COLUMNS * sizeof(float));
  work->unpack(p, start, round_up(depth, PANEL_BLOCK), column, panel);
  const float *from = start == 0 ? p->addend : p->y;
  int64_t columns = panel_min(work->columns - column, PANEL_COLUMNS);
  float sums[PANEL_TILE_ROWS * PANEL_COLUMNS] __attribute__((aligned(64)));
  for (; row < row_stop; row += PANEL_TILE_ROWS) {
    int64_t rows = panel_min(row_stop - row, PANEL_TILE_ROWS),
            at = row * work->columns + column;
    const float *x = (const float *)work->prepared + (row - work->row_start) * work->depth +
                     start * PANEL_TILE_ROWS;
    const float *before = from ? from + at : NULL;
    for (int c = 0; c < PANEL_COLUMNS; c += 2 * LANES)
      if (columns == PANEL_COLUMNS)
        panel_tile_of(rows, x, depth, panel + c, before ? before + c : NULL,
                      p->y + at + c, work->columns);
      else
        panel_tile_of(rows, x, depth, panel + c, NULL, sums + c, PANEL_COLUMNS);
    if (columns < PANEL_COLUMNS)
      panel_add(sums, PANEL_COLUMNS, rows, columns, before, p->y + at, work->columns);
  }
}

#endif

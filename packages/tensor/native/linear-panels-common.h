/* What the panel products share, whatever computes the sums of a panel. */
#ifndef FLACUNA_LINEAR_PANELS_COMMON_H
#define FLACUNA_LINEAR_PANELS_COMMON_H
#include "linear-panels-unpack.h"
#include "scratch.h"

static inline int64_t panel_min(int64_t a, int64_t b) { return a < b ? a : b; }

typedef struct {
  const PanelProduct *product;
  PanelUnpack unpack;
  int backward;
  int64_t depth, columns;      /* of this direction, as they are in x and y */
  int64_t slice;               /* the depth is taken in slices of this */
  int64_t row_start, row_stop; /* of the chunk of rows that is prepared */
  int64_t task_rows, task_columns, tasks_across;
  void *prepared; /* the chunk of x, a tile of PANEL_TILE_ROWS rows after another */
  const float *x;    /* few rows: [rows, padded depth] */
  const float *sums; /* few rows of 4 bits: sums of blocks of x [rows, depth / 32] */
} PanelWork;

/* Whether the weights lie as a panel of 16-bit integers does: then they are multiplied where they are, by any number of
   rows, and the sums of a row are the same to the bit whatever rows are beside it. */
static inline int panel_lies_ready(const PanelWork *work) {
#if defined(PATH_AVX512) && !defined(PATH_AMX)
  return work->product->format == WEIGHTS_INT16 && !work->backward;
#else
  (void)work;
  return 0;
#endif
}

/* y[r, c] of `rows` by `columns` becomes from[r, c] (null: 0) plus sums[r][c], of which `width` are in a row. */
static void panel_add(const float *sums, int64_t width, int64_t rows, int64_t columns, const float *from, float *y,
                      int64_t stride) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++)
      y[r * stride + c] = (from ? from[r * stride + c] : 0.0f) + sums[r * width + c];
}

#endif

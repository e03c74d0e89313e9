/* Rows of a matrix held as packed bytes, looked up by their numbers. */
#include "kernels.h"
#include "row-blocks.h"

/* A row's quads of columns lie 64 bytes apart, between those of the 15 rows beside it. */
static void int8_rows_one(const int8_t *packed, float scale, int64_t width, float *y) {
  for (int64_t i = 0; i < width; i++) y[i] = packed[(i / 4) * 4 * COLUMN_STEP + i % 4] * scale;
}

static void int8_rows_piece(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const Int8Rows *p = blocks->arguments;
  int64_t depth = round_up(p->width, DEPTH_STEP);
  for (int64_t row = first_row(blocks, index); row < end_row(blocks, index); row++) {
    int64_t from = p->indices[row], lane = from % COLUMN_STEP;
    const int8_t *packed = p->packed + (from - lane) * depth + lane * 4;
    int8_rows_one(packed, p->scales[from], p->width, p->y + row * p->width);
  }
}

static void int8_rows(const Int8Rows *p, const Parallel *parallel) {
  for_row_blocks(parallel, int8_rows_piece, p, p->rows, p->width);
}

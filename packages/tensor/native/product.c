/* Products of two float32 matrices, either of them perhaps transposed. The left one is laid out in tiles of a few rows,
   the right one in panels two vectors wide, so that the innermost loop reads both in order. Sums run in a fixed order,
   whatever the threads. */
#include "kernels.h"
#include "scratch.h"
#include "vector.h"

/* Rows of a register tile: at most LANES, so that one square transpose makes a tile. */
#if defined(PATH_AVX512)
#define PRODUCT_ROWS 12
#elif defined(PATH_AVX2)
#define PRODUCT_ROWS 6
#else
#define PRODUCT_ROWS 4
#endif
#define PRODUCT_COLUMNS (2 * LANES)
/* A panel of this depth stays in the first cache beside a tile; this many slices and rows are laid out at once. */
#define PRODUCT_SLICE 320
#define PRODUCT_BLOCK (6 * PRODUCT_SLICE)
#define PRODUCT_BLOCK_ROWS 1020
/* Columns of a task at most, and tasks wanted. */
#define PRODUCT_TASK_COLUMNS 512
#define PRODUCT_TASKS 12

static inline int64_t product_min(int64_t a, int64_t b) { return a < b ? a : b; }

typedef struct {
  const Product *product;
  int64_t row, rows;      /* of the block */
  int64_t start, depth;   /* of the block */
  int64_t slice;          /* the block's depth is taken in slices of this */
  int64_t task_columns;
  float *tiles; /* the block of a: [rows / PRODUCT_ROWS][depth][PRODUCT_ROWS] */
} ProductWork;

/* Swaps rows and columns. Each round interleaves the first half of the rows with the second. */
static inline void product_transpose(Floats x[LANES]) {
  Ints low, high;
  for (int i = 0; i < LANES; i++) {
    low[i] = i / 2 + (i % 2) * LANES;
    high[i] = low[i] + LANES / 2;
  }
  for (int round = 1; round < LANES; round *= 2) {
    Floats y[LANES];
#pragma GCC unroll 16
    for (int i = 0; i < LANES / 2; i++) {
      y[2 * i] = __builtin_shuffle(x[i], x[i + LANES / 2], low);
      y[2 * i + 1] = __builtin_shuffle(x[i], x[i + LANES / 2], high);
    }
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) x[i] = y[i];
  }
}

/* to[d][0 ... count - 1] = from[count rows][d], steps of `step` in `to`; writes LANES values a time, in order of d. */
static void product_gather(const float *from, int64_t stride, int64_t count, int64_t depth, int64_t step, float *to) {
  for (int64_t d = 0; d < depth; d += LANES) {
    Floats square[LANES] = {};
    int64_t length = product_min(LANES, depth - d);
    for (int64_t row = 0; row < count; row++) square[row] = load_first(from + row * stride + d, length);
    product_transpose(square);
    for (int64_t i = 0; i < length; i++) store(to + (d + i) * step, square[i]);
  }
}

/* to[d][0 ... count - 1] = from[d][...], the rest up to LANES 0. */
static void product_copy(const float *from, int64_t stride, int64_t count, int64_t depth, int64_t step, float *to) {
  for (int64_t d = 0; d < depth; d++) store(to + d * step, load_first(from + d * stride, count));
}

/* Tiles that one task lays out: neighbours read the same cache lines of a transposed operand. */
#define PRODUCT_GROUP 4

/* Tiles of rows `row` to `stop` from a transposed operand. What a load takes too much is some other value of it, which the
   next store covers or which stays in a row that is not there. */
static void product_copy_tiles(const ProductWork *work, int64_t row, int64_t stop) {
  const Product *p = work->product;
  for (int64_t d = 0; d < work->depth; d++)
    for (int64_t first = row; first < stop; first += PRODUCT_ROWS) {
      int64_t at = (work->start + d) * p->rows + work->row + first;
      float *to = work->tiles + first * work->depth + d * PRODUCT_ROWS;
      Floats values = load_first(p->a + at, product_min(LANES, p->rows * p->depth - at));
      if (d + 1 < work->depth) store(to, values);
      else memcpy(to, &values, PRODUCT_ROWS * sizeof *to);
    }
}

/* One tile from an operand as it is. */
static void product_gather_tile(const ProductWork *work, int64_t row) {
  const Product *p = work->product;
  int64_t count = product_min(work->rows - row, PRODUCT_ROWS), last = work->depth - 1;
  const float *from = p->a + (work->row + row) * p->depth + work->start;
  float *tile = work->tiles + row * work->depth;
  product_gather(from, p->depth, count, last, PRODUCT_ROWS, tile);
  for (int64_t r = 0; r < PRODUCT_ROWS; r++)
    tile[last * PRODUCT_ROWS + r] = r < count ? from[r * p->depth + last] : 0.0f;
}

/* A few tiles of the block of a. No store runs into the next tile: another task may have written it. */
static void product_lay_out(void *argument, size_t index) {
  const ProductWork *work = argument;
  int64_t row = (int64_t)index * PRODUCT_GROUP * PRODUCT_ROWS;
  int64_t stop = product_min(row + PRODUCT_GROUP * PRODUCT_ROWS, work->rows);
  if (work->product->transpose_a) return product_copy_tiles(work, row, stop);
  for (; row < stop; row += PRODUCT_ROWS) product_gather_tile(work, row);
}

/* A slice of `columns` columns of b: [depth][PRODUCT_COLUMNS]. */
static void product_panel(const Product *p, int64_t start, int64_t depth, int64_t column, int64_t columns, float *panel) {
  for (int64_t half = 0; half < PRODUCT_COLUMNS; half += LANES) {
    int64_t count = product_min(LANES, columns > half ? columns - half : 0);
    if (p->transpose_b)
      product_gather(p->b + (column + half) * p->depth + start, p->depth, count, depth, PRODUCT_COLUMNS, panel + half);
    else
      product_copy(p->b + start * p->columns + column + half, p->columns, count, depth, PRODUCT_COLUMNS, panel + half);
  }
}

/* sums = tile [depth][PRODUCT_ROWS] times panel [depth][PRODUCT_COLUMNS] */
static inline __attribute__((always_inline)) void product_tile(const float *tile, const float *panel, int64_t depth,
                                                               Floats sums[PRODUCT_ROWS][2]) {
#pragma GCC unroll 12
  for (int r = 0; r < PRODUCT_ROWS; r++) sums[r][0] = sums[r][1] = (Floats){};
  for (int64_t d = 0; d < depth; d++) {
    Floats first = load(panel + d * PRODUCT_COLUMNS), second = load(panel + d * PRODUCT_COLUMNS + LANES);
#pragma GCC unroll 12
    for (int r = 0; r < PRODUCT_ROWS; r++) {
      Floats value = splat(tile[d * PRODUCT_ROWS + r]);
      sums[r][0] += value * first;
      sums[r][1] += value * second;
    }
  }
}

/* A whole tile of y; `is_first`: nothing is there yet. */
static void product_whole(const float *tile, const float *panel, int64_t depth, int is_first, float *y, int64_t stride) {
  Floats sums[PRODUCT_ROWS][2];
  product_tile(tile, panel, depth, sums);
#pragma GCC unroll 12
  for (int r = 0; r < PRODUCT_ROWS; r++) {
    float *to = y + r * stride;
    store(to, is_first ? sums[r][0] : sums[r][0] + load(to));
    store(to + LANES, is_first ? sums[r][1] : sums[r][1] + load(to + LANES));
  }
}

/* A tile at the edge of y, of fewer rows or columns. */
static void product_edge(const float *tile, const float *panel, int64_t depth, int is_first, int64_t rows,
                         int64_t columns, float *y, int64_t stride) {
  float whole[PRODUCT_ROWS * PRODUCT_COLUMNS] __attribute__((aligned(64)));
  product_whole(tile, panel, depth, 1, whole, PRODUCT_COLUMNS);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++)
      y[r * stride + c] = whole[r * PRODUCT_COLUMNS + c] + (is_first ? 0.0f : y[r * stride + c]);
}

/* One slice of one panel, for all rows of the block. */
static void product_slice(const ProductWork *work, int64_t from, int64_t depth, int64_t column) {
  const Product *p = work->product;
  int64_t columns = product_min(p->columns - column, PRODUCT_COLUMNS);
  float *panel = scratch(1, PRODUCT_SLICE * PRODUCT_COLUMNS * sizeof *panel);
  product_panel(p, work->start + from, depth, column, columns, panel);
  int is_first = work->start + from == 0;
  for (int64_t row = 0; row < work->rows; row += PRODUCT_ROWS) {
    const float *tile = work->tiles + row * work->depth + from * PRODUCT_ROWS;
    float *y = p->y + (work->row + row) * p->columns + column;
    int64_t rows = product_min(work->rows - row, PRODUCT_ROWS);
    if (rows == PRODUCT_ROWS && columns == PRODUCT_COLUMNS) product_whole(tile, panel, depth, is_first, y, p->columns);
    else product_edge(tile, panel, depth, is_first, rows, columns, y, p->columns);
  }
}

static void product_task(void *argument, size_t index) {
  const ProductWork *work = argument;
  int64_t column = (int64_t)index * work->task_columns;
  int64_t stop = product_min(column + work->task_columns, work->product->columns);
  for (int64_t from = 0; from < work->depth; from += work->slice)
    for (int64_t c = column; c < stop; c += PRODUCT_COLUMNS)
      product_slice(work, from, product_min(work->slice, work->depth - from), c);
}

/* The rows and the depth of one block, for all columns. */
static void product_block(ProductWork *work, const Parallel *parallel) {
  int64_t tiles = (work->rows + PRODUCT_ROWS - 1) / PRODUCT_ROWS;
  int64_t slices = (work->depth + PRODUCT_SLICE - 1) / PRODUCT_SLICE;
  work->slice = (work->depth + slices - 1) / slices;
  work->tiles = scratch(0, (size_t)(tiles * PRODUCT_ROWS * work->depth) * sizeof *work->tiles);
  parallel_for(parallel, product_lay_out, (tiles + PRODUCT_GROUP - 1) / PRODUCT_GROUP, work);
  parallel_for(parallel, product_task, (work->product->columns + work->task_columns - 1) / work->task_columns, work);
}

static void product(const Product *p, const Parallel *parallel) {
  if (p->depth == 0) memset(p->y, 0, (size_t)(p->rows * p->columns) * sizeof *p->y);
  if (p->rows == 0 || p->columns == 0) return;
  int64_t share = round_up((p->columns + PRODUCT_TASKS - 1) / PRODUCT_TASKS, PRODUCT_COLUMNS);
  ProductWork work = {.product = p, .task_columns = product_min(share, PRODUCT_TASK_COLUMNS)};
  for (work.row = 0; work.row < p->rows; work.row += PRODUCT_BLOCK_ROWS)
    for (work.start = 0; work.start < p->depth; work.start += PRODUCT_BLOCK) {
      work.rows = product_min(p->rows - work.row, PRODUCT_BLOCK_ROWS);
      work.depth = product_min(p->depth - work.start, PRODUCT_BLOCK);
      product_block(&work, parallel);
    }
}

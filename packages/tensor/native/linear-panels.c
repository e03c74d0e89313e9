/* Products of float32 rows with frozen weights held once, as bfloat16, 16-bit integers or in blocks of 4 bits. A panel of
   32 columns is unpacked a slice of its depth at a time and used for all rows; formats and directions differ only in how
   a panel is unpacked, paths in what its sums are computed in. Forward: depth is `in`, columns are outputs; backward:
   depth is `out`, columns are inputs. A few rows forward take the weights straight from registers. Sums run in a fixed
   order, whatever the threads. */
#include "kernels.h"
#if defined(PATH_AMX)
#include "linear-panels-tiles.h"
#elif defined(PATH_AVX512)
#include "linear-panels-integers.h"
#else
#include "linear-panels-float.h"
#endif

/* Rows that take weights straight from registers: at once, and up to how many that is done. */
#if defined(PATH_AVX512) || defined(__aarch64__)
#define PANEL_FEW_ROWS 4
#else
#define PANEL_FEW_ROWS 2
#endif
#ifdef PATH_AMX
#define PANEL_DIRECT_ROWS PANEL_FEW_ROWS
#else
#define PANEL_DIRECT_ROWS (4 * PANEL_FEW_ROWS)
#endif
#define PANEL_SHORT_ROWS 24
/* Rows that one task takes, and rows that are prepared at once. */
#define PANEL_TASK_ROWS 512
#define PANEL_CHUNK_ROWS 1024

static void panel_task(void *argument, size_t index) {
  const PanelWork *work = argument;
  int64_t column = (int64_t)index % work->tasks_across * work->task_columns;
  int64_t row = work->row_start + (int64_t)index / work->tasks_across * work->task_rows;
  int64_t column_stop = panel_min(column + work->task_columns, work->columns);
  int64_t row_stop = panel_min(row + work->task_rows, work->row_stop);
#ifdef PATH_AMX
  tile_config();
#endif
  for (int64_t start = 0; start < work->depth; start += work->slice)
    for (int64_t c = column; c < column_stop; c += PANEL_WIDTH)
      panel_slice(work, start, panel_min(work->slice, work->depth - start), c, row, row_stop);
#ifdef PATH_AMX
  tile_release();
#endif
}

/* Cuts the work into at least a dozen tasks where it can: columns first, which share nothing but x. */
static size_t panel_divide(PanelWork *work) {
  int64_t rows = work->row_stop - work->row_start;
  int64_t down = round_up(rows, PANEL_TASK_ROWS) / PANEL_TASK_ROWS;
  work->task_rows = round_up((rows + down - 1) / down, PANEL_TILE_ROWS);
  down = (rows + work->task_rows - 1) / work->task_rows;
  work->task_columns = 256;
  while (work->task_columns > PANEL_WIDTH && down * (work->columns / work->task_columns) < 12) work->task_columns /= 2;
  work->tasks_across = (work->columns + work->task_columns - 1) / work->task_columns;
  return down * work->tasks_across;
}

static void panel_many_rows(PanelWork *work, const Parallel *parallel) {
  int64_t rows = work->product->rows, largest = rows <= PANEL_SHORT_ROWS ? PANEL_SHORT_DEPTH : PANEL_DEPTH;
  int64_t slices = (work->depth + largest - 1) / largest;
  work->slice = round_up((work->depth + slices - 1) / slices, PANEL_BLOCK);
  for (int64_t start = 0; start < rows; start += PANEL_CHUNK_ROWS) {
    work->row_start = start;
    work->row_stop = panel_min(start + PANEL_CHUNK_ROWS, rows);
    int64_t tiles = (work->row_stop - start + PANEL_TILE_ROWS - 1) / PANEL_TILE_ROWS;
    work->prepared = scratch(0, tiles * panel_tile_bytes(work));
    parallel_for(parallel, panel_prepare, tiles, work);
    parallel_for(parallel, panel_task, panel_divide(work), work);
  }
}

/* ---- a few rows forward ------------------------------------------------------------------------------------------- */

/* One vector of outputs in each of two groups: sums[r][group] for `rows` rows. */
PANEL_INLINE void panel_few_pairs(int rows, const PanelWork *work, int64_t row, int64_t column, int lane,
                                  Floats sums[PANEL_FEW_ROWS][2], const int is_integer) {
  const PanelProduct *p = work->product;
  int64_t depth = round_up(p->in, PANEL_BLOCK);
  const float *x = work->x + row * depth;
  const uint32_t *first = panel_pairs_at(p, column, 0) + lane;
  const uint32_t *second = panel_pairs_at(p, column + PANEL_GROUP, 0) + lane;
  Floats odd[PANEL_FEW_ROWS][2];
  for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = odd[r][0] = odd[r][1] = (Floats){};
  for (int64_t d = 0; d < depth; d += 2, first += PANEL_GROUP, second += PANEL_GROUP) {
    Ints a = panel_words(first), b = panel_words(second);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      Floats x0 = splat(x[r * depth + d]), x1 = splat(x[r * depth + d + 1]);
      sums[r][0] += x0 * panel_low_half(a, is_integer);
      sums[r][1] += x0 * panel_low_half(b, is_integer);
      odd[r][0] += x1 * panel_high_half(a, is_integer);
      odd[r][1] += x1 * panel_high_half(b, is_integer);
    }
  }
  for (int g = 0; g < 2; g++) {
    const Floats scale = is_integer ? load(p->row_scales + column + g * PANEL_GROUP + lane) : splat(1);
    for (int r = 0; r < rows; r++) sums[r][g] = (sums[r][g] + odd[r][g]) * scale;
  }
}

/* The sums of x times the nibbles of a block are taken first, then scaled; the minimum meets the sum of x. */
PANEL_INLINE void panel_few_int4(int rows, const PanelWork *work, int64_t row, int64_t column, int lane,
                                 Floats sums[PANEL_FEW_ROWS][2]) {
  const PanelProduct *p = work->product;
  int64_t blocks = p->in / PANEL_BLOCK;
  for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = (Floats){};
  for (int64_t block = 0; block < blocks; block++) {
    const float *x = work->x + row * p->in + block * PANEL_BLOCK;
#pragma GCC unroll 2
    for (int g = 0; g < 2; g++) {
      const uint32_t *from = panel_int4_at(p, column + g * PANEL_GROUP, block * PANEL_BLOCK) + lane;
      Floats low[PANEL_FEW_ROWS], high[PANEL_FEW_ROWS];
      for (int r = 0; r < rows; r++) low[r] = high[r] = (Floats){};
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        Ints words = panel_words(from + j * PANEL_GROUP);
#pragma GCC unroll 4
        for (int b = 0; b < 4; b++) {
          Floats early = panel_nibbles(words >> (8 * b)), late = panel_nibbles(words >> (8 * b + 4));
#pragma GCC unroll 4
          for (int r = 0; r < rows; r++) {
            low[r] += splat(x[r * p->in + 8 * j + b]) * early;
            high[r] += splat(x[r * p->in + 8 * j + 4 + b]) * late;
          }
        }
      }
      int64_t at = panel_block_at(p, column + g * PANEL_GROUP, block * PANEL_BLOCK) + lane;
      Floats scale = load_float16(p->scales + at), minimum = load_float16(p->minimums + at);
      for (int r = 0; r < rows; r++)
        sums[r][g] += (low[r] + high[r]) * scale + minimum * splat(work->sums[(row + r) * blocks + block]);
    }
  }
}

/* Rows from `row` on, columns from `column` on. */
PANEL_INLINE void panel_few_columns(int rows, const PanelWork *work, int64_t row, int64_t column) {
  const PanelProduct *p = work->product;
  Floats sums[PANEL_FEW_ROWS][2];
  float whole[PANEL_FEW_ROWS * PANEL_COLUMNS];
  for (int lane = 0; lane < PANEL_GROUP; lane += LANES) {
    if (p->format == WEIGHTS_BFLOAT16) panel_few_pairs(rows, work, row, column, lane, sums, 0);
    else if (p->format == WEIGHTS_INT16) panel_few_pairs(rows, work, row, column, lane, sums, 1);
    else panel_few_int4(rows, work, row, column, lane, sums);
    for (int r = 0; r < rows; r++)
      for (int g = 0; g < 2; g++) store(whole + r * PANEL_COLUMNS + g * PANEL_GROUP + lane, sums[r][g]);
  }
  int64_t at = row * p->out + column;
  panel_add(whole, PANEL_COLUMNS, rows, panel_min(p->out - column, PANEL_COLUMNS), p->addend ? p->addend + at : NULL,
            p->y + at, p->out);
}

static void panel_few_task(void *argument, size_t index) {
  const PanelWork *work = argument;
  int64_t column = (int64_t)index * work->task_columns;
  int64_t stop = panel_min(column + work->task_columns, work->columns);
  for (; column < stop; column += PANEL_COLUMNS)
    for (int64_t row = 0; row < work->row_stop; row += PANEL_FEW_ROWS)
      switch (work->row_stop - row) {
        case 1: panel_few_columns(1, work, row, column); break;
#if PANEL_FEW_ROWS > 2
        case 2: panel_few_columns(2, work, row, column); break;
        case 3: panel_few_columns(3, work, row, column); break;
#endif
        default: panel_few_columns(PANEL_FEW_ROWS, work, row, column);
      }
}

/* x padded with zeros to whole blocks, followed by the sums of its blocks. */
static void panel_few_rows(PanelWork *work, const Parallel *parallel) {
  const PanelProduct *p = work->product;
  int64_t depth = round_up(p->in, PANEL_BLOCK), blocks = depth / PANEL_BLOCK;
  float *x = scratch(0, p->rows * (depth + blocks) * sizeof(float)), *sums = x + p->rows * depth;
  for (int64_t r = 0; r < p->rows; r++) {
    memcpy(x + r * depth, p->x + r * p->in, p->in * sizeof(float));
    memset(x + r * depth + p->in, 0, (depth - p->in) * sizeof(float));
  }
  for (int64_t b = 0; b < p->rows * blocks; b++) {
    sums[b] = 0;
    for (int i = 0; i < PANEL_BLOCK; i++) sums[b] += x[b * PANEL_BLOCK + i];
  }
  work->x = x;
  work->sums = sums;
  work->row_start = 0;
  work->row_stop = p->rows;
  parallel_for(parallel, panel_few_task, panel_divide(work), work);
}

static void panel_forward(const PanelProduct *p, const Parallel *parallel) {
#ifdef PATH_AMX /* whose tiles would round integers to bfloat16 */
  if (p->format == WEIGHTS_INT16) {
    kernels_avx512.panel_forward(p, parallel);
    return;
  }
#endif
  PanelWork work = {.product = p, .unpack = panel_unpack[p->format][0], .depth = p->in, .columns = p->out};
  if (p->rows == 0) return;
  if (p->rows <= PANEL_DIRECT_ROWS && !panel_lies_ready(&work)) panel_few_rows(&work, parallel);
  else panel_many_rows(&work, parallel);
}

static void panel_backward(const PanelProduct *p, const Parallel *parallel) {
#ifdef PATH_AMX
  if (p->format == WEIGHTS_INT16) {
    kernels_avx512.panel_backward(p, parallel);
    return;
  }
#endif
  PanelWork work = {.product = p, .unpack = panel_unpack[p->format][1], .backward = 1, .depth = p->out,
                    .columns = p->in};
  if (p->rows > 0) panel_many_rows(&work, parallel);
}

/* Products of float32 rows with frozen weights held once, as bfloat16 or in
   blocks of 4 bits. A panel of 32 columns is unpacked a slice of its depth at a
   time and used for all rows; formats and directions differ only in how a panel
   is unpacked. Forward: depth is `in`, columns are outputs; backward: depth is
   `out`, columns are inputs. A few rows forward take the weights straight from
   registers. Sums run in a fixed order, whatever the threads. */
#include "kernels.h"
#include "linear-panels-unpack.h"
#include "scratch.h"
#include "vector.h"
#ifdef PATH_AMX
#include "amx.h"
#endif

/* Rows of a register tile (two vectors wide), and of those that take weights
 * straight from registers. */
#if defined(PATH_AVX512) || defined(__aarch64__)
#define PANEL_ROWS 12
#define PANEL_FEW_ROWS 4
#else
#define PANEL_ROWS 6
#define PANEL_FEW_ROWS 2
#endif
#ifdef PATH_AMX
#define PANEL_TILE_ROWS 32
#define PANEL_DEPTH 1024
#define PANEL_SHORT_DEPTH PANEL_DEPTH
#define PANEL_DIRECT_ROWS PANEL_FEW_ROWS
#else
#define PANEL_TILE_ROWS PANEL_ROWS
#define PANEL_DEPTH 512
#define PANEL_SHORT_DEPTH                                                      \
  64 /* for few rows: the panel then stays in the first cache */
#define PANEL_DIRECT_ROWS                                                      \
  (4 * PANEL_FEW_ROWS) /* rows up to which that is done, PANEL_FEW_ROWS at a   \
                          time */
#endif
#define PANEL_SHORT_ROWS 24
/* Rows that one task takes, and rows that are prepared at once. */
#define PANEL_TASK_ROWS 512
#define PANEL_CHUNK_ROWS 1024

static inline int64_t panel_min(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- the product over panels
 * ------------------------------------------------------------------------- */

typedef struct {
  const PanelProduct *product;
  PanelUnpack unpack;
  int backward;
  int64_t depth, columns;      /* of this direction, as they are in x and y */
  int64_t slice;               /* the depth is taken in slices of this */
  int64_t row_start, row_stop; /* of the chunk of rows that is prepared */
  int64_t task_rows, task_columns, tasks_across;
#ifdef PATH_AMX
  uint16_t *prepared; /* the chunk of x: [padded rows, padded depth] */
#else
  float *prepared; /* the chunk of x: [rows / PANEL_ROWS][depth][PANEL_ROWS] */
#endif
  const float *x; /* few rows: [rows, padded depth] */
  const float
      *sums; /* few rows of 4 bits: sums of blocks of x [rows, depth / 32] */
} PanelWork;

/* y[r, c] of `rows` by `columns` <= 32 becomes from[r, c] (null: 0) plus
 * sums[r][c]. */
static void panel_add(const float *sums, int64_t rows, int64_t columns,
                      const float *from, float *y, int64_t stride) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++)
      y[r * stride + c] =
          (from ? from[r * stride + c] : 0.0f) + sums[r * PANEL_COLUMNS + c];
}

#ifdef PATH_AMX

/* A slice of a panel as two strips of 16 columns, each [depth / 2][16
 * columns][2]. */
static void panel_unpack_bfloat16(const PanelWork *work, int64_t start,
                                  int64_t depth, int64_t column,
                                  uint16_t *panel) {
  float wide[PANEL_BLOCK * PANEL_COLUMNS] __attribute__((aligned(64)));
  const __m512i interleave =
      (__m512i)(__attribute__((vector_size(64))) uint16_t){
          0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
          8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  for (int64_t d = 0; d < depth; d += PANEL_BLOCK) {
    work->unpack(work->product, start + d, PANEL_BLOCK, column, wide);
    for (int pair = 0; pair < PANEL_BLOCK / 2; pair++)
      for (int strip = 0; strip < 2; strip++) {
        const float *even = wide + 2 * pair * PANEL_COLUMNS + strip * 16;
        __m512i both = (__m512i)_mm512_cvtne2ps_pbh(
            (__m512)load(even + PANEL_COLUMNS), (__m512)load(even));
        _mm512_store_si512(panel + strip * depth * 16 + (d / 2 + pair) * 32,
                           _mm512_permutexvar_epi16(interleave, both));
      }
  }
}

/* sums[32][32] = x[32 rows, depth] times two strips of 16 columns */
static void panel_tiles(const uint16_t *x, int64_t stride, int64_t depth,
                        const uint16_t *first, const uint16_t *second,
                        float *sums) {
  tile_zero(0);
  tile_zero(1);
  tile_zero(2);
  tile_zero(3);
  for (int64_t d = 0; d < depth; d += 32) {
    tile_load(4, x + d, stride * 2);
    tile_load(6, first + d * 16, 64);
    tile_load(7, second + d * 16, 64);
    tile_load(5, x + 16 * stride + d, stride * 2);
    tile_dot_bfloat16(0, 4, 6);
    tile_dot_bfloat16(1, 4, 7);
    tile_dot_bfloat16(2, 5, 6);
    tile_dot_bfloat16(3, 5, 7);
  }
  tile_store(0, sums, 128);
  tile_store(1, sums + 16, 128);
  tile_store(2, sums + 16 * 32, 128);
  tile_store(3, sums + 16 * 32 + 16, 128);
}

/* One slice of the depth of one panel, for the rows of a task. */
static void panel_slice(const PanelWork *work, int64_t start, int64_t depth,
                        int64_t column, int64_t row, int64_t row_stop) {
  const PanelProduct *p = work->product;
  int64_t stride = round_up(work->depth, PANEL_BLOCK),
          padded = round_up(depth, PANEL_BLOCK);
  const uint16_t *first, *second;
  if (p->format == WEIGHTS_BFLOAT16 &&
      !work->backward) { /* packed as the tiles want them */
    first = (const uint16_t *)panel_bfloat16_at(p, column, start);
    second = (const uint16_t *)panel_bfloat16_at(p, column + 16, start);
  } else {
    uint16_t *panel =
        scratch(1, PANEL_DEPTH * PANEL_COLUMNS * sizeof(uint16_t));
    panel_unpack_bfloat16(work, start, padded, column, panel);
    first = panel;
    second = panel + padded * 16;
  }
  const float *from = start == 0 ? p->addend : p->y;
  int64_t columns = panel_min(work->columns - column, PANEL_COLUMNS);
  float sums[32 * 32] __attribute__((aligned(64)));
  for (; row < row_stop; row += 32) {
    panel_tiles(work->prepared + (row - work->row_start) * stride + start,
                stride, padded, first, second, sums);
    int64_t at = row * work->columns + column;
    panel_add(sums, panel_min(row_stop - row, 32), columns,
              from ? from + at : NULL, p->y + at, work->columns);
  }
}

/* 32 rows of x to bfloat16, padded with zeros. */
static void panel_prepare(void *argument, size_t index) {
  const PanelWork *work = argument;
  int64_t depth = work->depth, padded = round_up(depth, PANEL_BLOCK);
  int64_t row = work->row_start + (int64_t)index * PANEL_TILE_ROWS;
  uint16_t *to = work->prepared + (int64_t)index * PANEL_TILE_ROWS * padded;
  memset(to, 0, PANEL_TILE_ROWS * padded * sizeof *to);
  for (int64_t stop = panel_min(row + PANEL_TILE_ROWS, work->row_stop);
       row < stop; row++, to += padded) {
    const float *from = work->product->x + row * depth;
    int64_t d = 0;
    for (; d + 16 <= depth; d += 16)
      _mm256_storeu_si256((__m256i *)(to + d),
                          (__m256i)_mm512_cvtneps_pbh((__m512)load(from + d)));
    for (; d < depth; d++)
      to[d] = to_bfloat16(from[d]);
  }
}

#else

/* A register tile of x side by side: [depth][PANEL_ROWS]. In place its rows
 * would fight for cache lines. */
static void panel_prepare(void *argument, size_t index) {
  const PanelWork *work = argument;
  int64_t depth = work->depth,
          row = work->row_start + (int64_t)index * PANEL_ROWS;
  int64_t rows = panel_min(work->row_stop - row, PANEL_ROWS);
  const float *from = work->product->x + row * depth;
  float *to = work->prepared + (int64_t)index * PANEL_ROWS * depth;
  if (rows == PANEL_ROWS) {
    for (int64_t d = 0; d < depth; d++, to += PANEL_ROWS)
      for (int r = 0; r < PANEL_ROWS; r++)
        to[r] = from[r * depth + d];
    return;
  }
  for (int64_t d = 0; d < depth; d++, to += PANEL_ROWS)
    for (int64_t r = 0; r < rows; r++)
      to[r] = from[r * depth + d];
}

/* y[rows][2 vectors] = from (null: 0) + x[depth][rows] * panel[depth][2 vectors
 * of 32 columns] */
PANEL_INLINE void panel_tile(int rows, const float *x, int64_t depth,
                             const float *panel, const float *from, float *y,
                             int64_t y_stride) {
  Floats sums[PANEL_ROWS][2];
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
    sums[r][0] = sums[r][1] = (Floats){};
  for (int64_t d = 0; d < depth; d++) {
    Floats first = load(panel + d * PANEL_COLUMNS),
           second = load(panel + d * PANEL_COLUMNS + LANES);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      Floats value = splat(x[d * PANEL_ROWS + r]);
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
/* The same for any number of rows up to PANEL_ROWS, each count compiled on its
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
#if PANEL_ROWS > 6
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
  float sums[PANEL_ROWS * PANEL_COLUMNS] __attribute__((aligned(64)));
  for (; row < row_stop; row += PANEL_ROWS) {
    int64_t rows = panel_min(row_stop - row, PANEL_ROWS),
            at = row * work->columns + column;
    const float *x = work->prepared + (row - work->row_start) * work->depth +
                     start * PANEL_ROWS;
    const float *before = from ? from + at : NULL;
    for (int c = 0; c < PANEL_COLUMNS; c += 2 * LANES)
      if (columns == PANEL_COLUMNS)
        panel_tile_of(rows, x, depth, panel + c, before ? before + c : NULL,
                      p->y + at + c, work->columns);
      else
        panel_tile_of(rows, x, depth, panel + c, NULL, sums + c, PANEL_COLUMNS);
    if (columns < PANEL_COLUMNS)
      panel_add(sums, rows, columns, before, p->y + at, work->columns);
  }
}

#endif

static void panel_task(void *argument, size_t index) {
  const PanelWork *work = argument;
  int64_t column = (int64_t)index % work->tasks_across * work->task_columns;
  int64_t row =
      work->row_start + (int64_t)index / work->tasks_across * work->task_rows;
  int64_t column_stop = panel_min(column + work->task_columns, work->columns);
  int64_t row_stop = panel_min(row + work->task_rows, work->row_stop);
#ifdef PATH_AMX
  tile_config();
#endif
  for (int64_t start = 0; start < work->depth; start += work->slice)
    for (int64_t c = column; c < column_stop; c += PANEL_COLUMNS)
      panel_slice(work, start, panel_min(work->slice, work->depth - start), c,
                  row, row_stop);
#ifdef PATH_AMX
  tile_release();
#endif
}

/* Cuts the work into at least a dozen tasks where it can: columns first, which
 * share nothing but x. */
static size_t panel_divide(PanelWork *work) {
  int64_t rows = work->row_stop - work->row_start;
  int64_t down = round_up(rows, PANEL_TASK_ROWS) / PANEL_TASK_ROWS;
  work->task_rows = round_up((rows + down - 1) / down, PANEL_TILE_ROWS);
  down = (rows + work->task_rows - 1) / work->task_rows;
  work->task_columns = 256;
  while (work->task_columns > PANEL_COLUMNS &&
         down * (work->columns / work->task_columns) < 12)
    work->task_columns /= 2;
  work->tasks_across =
      (work->columns + work->task_columns - 1) / work->task_columns;
  return down * work->tasks_across;
}

static void panel_many_rows(PanelWork *work, const Parallel *parallel) {
  int64_t rows = work->product->rows,
          largest = rows <= PANEL_SHORT_ROWS ? PANEL_SHORT_DEPTH : PANEL_DEPTH;
  int64_t slices = (work->depth + largest - 1) / largest;
  work->slice = round_up((work->depth + slices - 1) / slices, PANEL_BLOCK);
  for (int64_t start = 0; start < rows; start += PANEL_CHUNK_ROWS) {
    work->row_start = start;
    work->row_stop = panel_min(start + PANEL_CHUNK_ROWS, rows);
    int64_t padded = round_up(work->row_stop - start, PANEL_TILE_ROWS);
    work->prepared = scratch(0, padded * round_up(work->depth, PANEL_BLOCK) *
                                    sizeof *work->prepared);
    parallel_for(parallel, panel_prepare, padded / PANEL_TILE_ROWS, work);
    parallel_for(parallel, panel_task, panel_divide(work), work);
  }
}

/* ---- a few rows forward
 * ------------------------------------------------------------------------------
 */

/* One vector of outputs in each of two groups: sums[r][group] for `rows` rows.
 */
PANEL_INLINE void panel_few_bfloat16(int rows, const PanelWork *work,
                                     int64_t row, int64_t column, int lane,
                                     Floats sums[PANEL_FEW_ROWS][2]) {
  const PanelProduct *p = work->product;
  int64_t depth = round_up(p->in, PANEL_BLOCK);
  const float *x = work->x + row * depth;
  const uint32_t *first = panel_bfloat16_at(p, column, 0) + lane;
  const uint32_t *second = panel_bfloat16_at(p, column + PANEL_GROUP, 0) + lane;
  Floats odd[PANEL_FEW_ROWS][2];
  for (int r = 0; r < rows; r++)
    sums[r][0] = sums[r][1] = odd[r][0] = odd[r][1] = (Floats){};
  for (int64_t d = 0; d < depth;
       d += 2, first += PANEL_GROUP, second += PANEL_GROUP) {
    Ints a = panel_words(first), b = panel_words(second);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      Floats x0 = splat(x[r * depth + d]), x1 = splat(x[r * depth + d + 1]);
      sums[r][0] += x0 * panel_low_half(a);
      sums[r][1] += x0 * panel_low_half(b);
      odd[r][0] += x1 * panel_high_half(a);
      odd[r][1] += x1 * panel_high_half(b);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int g = 0; g < 2; g++)
      sums[r][g] += odd[r][g];
}

/* The sums of x times the nibbles of a block are taken first, then scaled; the
 * minimum meets the sum of x. */
PANEL_INLINE void panel_few_int4(int rows, const PanelWork *work, int64_t row,
                                 int64_t column, int lane,
                                 Floats sums[PANEL_FEW_ROWS][2]) {
  const PanelProduct *p = work->product;
  int64_t blocks = p->in / PANEL_BLOCK;
  for (int r = 0; r < rows; r++)
    sums[r][0] = sums[r][1] = (Floats){};
  for (int64_t block = 0; block < blocks; block++) {
    const float *x = work->x + row * p->in + block * PANEL_BLOCK;
#pragma GCC unroll 2
    for (int g = 0; g < 2; g++) {
      const uint32_t *from =
          panel_int4_at(p, column + g * PANEL_GROUP, block * PANEL_BLOCK) +
          lane;
      Floats low[PANEL_FEW_ROWS], high[PANEL_FEW_ROWS];
      for (int r = 0; r < rows; r++)
        low[r] = high[r] = (Floats){};
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        Ints words = panel_words(from + j * PANEL_GROUP);
#pragma GCC unroll 4
        for (int b = 0; b < 4; b++) {
          Floats early = panel_nibbles(words >> (8 * b)),
                 late = panel_nibbles(words >> (8 * b + 4));
#pragma GCC unroll 4
          for (int r = 0; r < rows; r++) {
            low[r] += splat(x[r * p->in + 8 * j + b]) * early;
            high[r] += splat(x[r * p->in + 8 * j + 4 + b]) * late;
          }
        }
      }
      int64_t at =
          panel_block_at(p, column + g * PANEL_GROUP, block * PANEL_BLOCK) +
          lane;
      Floats scale = load_float16(p->scales + at),
             minimum = load_float16(p->minimums + at);
      for (int r = 0; r < rows; r++)
        sums[r][g] += (low[r] + high[r]) * scale +
                      minimum * splat(work->sums[(row + r) * blocks + block]);
    }
  }
}

/* Rows from `row` on, columns from `column` on. */
PANEL_INLINE void panel_few_columns(int rows, const PanelWork *work,
                                    int64_t row, int64_t column) {
  const PanelProduct *p = work->product;
  Floats sums[PANEL_FEW_ROWS][2];
  float whole[PANEL_FEW_ROWS * PANEL_COLUMNS];
  for (int lane = 0; lane < PANEL_GROUP; lane += LANES) {
    if (p->format == WEIGHTS_BFLOAT16)
      panel_few_bfloat16(rows, work, row, column, lane, sums);
    else
      panel_few_int4(rows, work, row, column, lane, sums);
    for (int r = 0; r < rows; r++)
      for (int g = 0; g < 2; g++)
        store(whole + r * PANEL_COLUMNS + g * PANEL_GROUP + lane, sums[r][g]);
  }
  int64_t at = row * p->out + column;
  panel_add(whole, rows, panel_min(p->out - column, PANEL_COLUMNS),
            p->addend ? p->addend + at : NULL, p->y + at, p->out);
}

static void panel_few_task(void *argument, size_t index) {
  const PanelWork *work = argument;
  int64_t column = (int64_t)index * work->task_columns;
  int64_t stop = panel_min(column + work->task_columns, work->columns);
  for (; column < stop; column += PANEL_COLUMNS)
    for (int64_t row = 0; row < work->row_stop; row += PANEL_FEW_ROWS)
      switch (work->row_stop - row) {
      case 1:
        panel_few_columns(1, work, row, column);
        break;
#if PANEL_FEW_ROWS > 2
      case 2:
        panel_few_columns(2, work, row, column);
        break;
      case 3:
        panel_few_columns(3, work, row, column);
        break;
#endif
      default:
        panel_few_columns(PANEL_FEW_ROWS, work, row, column);
      }
}

/* x padded with zeros to whole blocks, followed by the sums of its blocks. */
static void panel_few_rows(PanelWork *work, const Parallel *parallel) {
  const PanelProduct *p = work->product;
  int64_t depth = round_up(p->in, PANEL_BLOCK), blocks = depth / PANEL_BLOCK;
  float *x = scratch(0, p->rows * (depth + blocks) * sizeof(float)),
        *sums = x + p->rows * depth;
  for (int64_t r = 0; r < p->rows; r++) {
    memcpy(x + r * depth, p->x + r * p->in, p->in * sizeof(float));
    memset(x + r * depth + p->in, 0, (depth - p->in) * sizeof(float));
  }
  for (int64_t b = 0; b < p->rows * blocks; b++) {
    sums[b] = 0;
    for (int i = 0; i < PANEL_BLOCK; i++)
      sums[b] += x[b * PANEL_BLOCK + i];
  }
  work->x = x;
  work->sums = sums;
  work->row_start = 0;
  work->row_stop = p->rows;
  parallel_for(parallel, panel_few_task, panel_divide(work), work);
}

static void panel_forward(const PanelProduct *p, const Parallel *parallel) {
  PanelWork work = {.product = p,
                    .unpack = panel_unpack[p->format][0],
                    .depth = p->in,
                    .columns = p->out};
  if (p->rows == 0)
    return;
  if (p->rows <= PANEL_DIRECT_ROWS)
    panel_few_rows(&work, parallel);
  else
    panel_many_rows(&work, parallel);
}

static void panel_backward(const PanelProduct *p, const Parallel *parallel) {
  PanelWork work = {.product = p,
                    .unpack = panel_unpack[p->format][1],
                    .backward = 1,
                    .depth = p->out,
                    .columns = p->in};
  if (p->rows > 0)
    panel_many_rows(&work, parallel);
}

/* Products in which one size is small, as it is for the factors of a low-rank update: each goes through its
   one wide array once. The order of every sum is fixed by the sizes alone. */
#include "kernels.h"
#include "row-blocks.h"
#include "scratch.h"
#include "vector.h"

/* Columns of the wide array that are done for all rows of a piece at a time: the factor's stay in cache. */
#define THIN_STRETCH 1024

/* Values in a line of the cache. */
#define THIN_LINE 16

static inline int64_t thin_least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Pieces of rows; whole tiles, and enough of them to find the factor in cache. */
static inline void thin_for_rows(const Parallel *parallel, Task task, const ThinProduct *p) {
  int64_t step = p->rows < 128 ? 8 : 32;
  RowBlocks blocks = {p, p->rows, step};
  parallel_for(parallel, task, (p->rows + step - 1) / step, &blocks);
}

/* ---- the factor, with the wide axis last --------------------------------------------------------------- */

typedef struct {
  const float *from; /* [wide, thin] */
  float *to;         /* [thin, wide] */
  int64_t wide, thin;
} ThinTranspose;

static void thin_transpose_rows(void *argument, size_t index) {
  const ThinTranspose *p = argument;
  int64_t start = (int64_t)index * THIN_STRETCH, end = thin_least(start + THIN_STRETCH, p->wide);
  for (int64_t i = start; i < end; i++)
    for (int64_t j = 0; j < p->thin; j++) p->to[j * p->wide + i] = p->from[i * p->thin + j];
}

/* [thin, wide] */
static const float *thin_factor(const ThinProduct *p, const Parallel *parallel) {
  if (!p->is_transposed) return p->factor;
  ThinTranspose transpose = {p->factor, scratch(0, p->wide * p->thin * sizeof(float)), p->wide, p->thin};
  parallel_for(parallel, thin_transpose_rows, (p->wide + THIN_STRETCH - 1) / THIN_STRETCH, &transpose);
  return transpose.to;
}

/* ---- reduce: y [rows, thin] = x [rows, wide] * factor^T ------------------------------------------------ */

#define REDUCE_ROWS (LANES == 16 ? 4 : 2)
#define REDUCE_COLUMNS 4
#define REDUCE_TILE (REDUCE_ROWS * REDUCE_COLUMNS)

/* The sum of each of LANES vectors. */
static inline Floats thin_lane_sums(const Floats x[LANES]) {
#if defined(PATH_AVX512)
  __m512 quarter[4]; /* in each run of 4 lanes: a part of the sums of 4 vectors */
  for (int i = 0; i < 4; i++) {
    __m512 a = (__m512)x[4 * i], b = (__m512)x[4 * i + 1], c = (__m512)x[4 * i + 2], d = (__m512)x[4 * i + 3];
    __m512d ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
    __m512d cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
    quarter[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
                               _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
  }
  __m512 half[2];
  for (int i = 0; i < 2; i++)
    half[i] = _mm512_add_ps(_mm512_shuffle_f32x4(quarter[2 * i], quarter[2 * i + 1], 0x88),
                            _mm512_shuffle_f32x4(quarter[2 * i], quarter[2 * i + 1], 0xdd));
  return (Floats)_mm512_add_ps(_mm512_shuffle_f32x4(half[0], half[1], 0x88),
                               _mm512_shuffle_f32x4(half[0], half[1], 0xdd));
#elif defined(PATH_AVX2)
  __m256 half[2]; /* in each run of 4 lanes: a part of the sums of 4 vectors */
  for (int i = 0; i < 2; i++)
    half[i] = _mm256_hadd_ps(_mm256_hadd_ps((__m256)x[4 * i], (__m256)x[4 * i + 1]),
                             _mm256_hadd_ps((__m256)x[4 * i + 2], (__m256)x[4 * i + 3]));
  return (Floats)_mm256_add_ps(_mm256_permute2f128_ps(half[0], half[1], 0x20),
                               _mm256_permute2f128_ps(half[0], half[1], 0x31));
#else
  Floats sums;
  for (int i = 0; i < LANES; i++) sums[i] = (x[i][0] + x[i][1]) + (x[i][2] + x[i][3]);
  return sums;
#endif
}

/* The rows of x and of the factor in a tile; the last stand in for those that are missing. */
typedef struct {
  const float *x[REDUCE_ROWS], *factor[REDUCE_COLUMNS];
} ReduceRows;

static inline void reduce_tile(const ReduceRows *rows, int64_t depth, float sums[REDUCE_TILE]) {
  Floats parts[REDUCE_TILE] = {};
  int64_t at = 0;
  for (; at + LANES <= depth; at += LANES) {
    Floats x[REDUCE_ROWS];
    for (int i = 0; i < REDUCE_ROWS; i++) x[i] = load(rows->x[i] + at);
    for (int j = 0; j < REDUCE_COLUMNS; j++) {
      Floats factor = load(rows->factor[j] + at);
      for (int i = 0; i < REDUCE_ROWS; i++) parts[i * REDUCE_COLUMNS + j] += x[i] * factor;
    }
  }
  if (at < depth)
    for (int i = 0; i < REDUCE_TILE; i++)
      parts[i] += load_first(rows->x[i / REDUCE_COLUMNS] + at, depth - at) *
                  load_first(rows->factor[i % REDUCE_COLUMNS] + at, depth - at);
  for (int i = 0; i < REDUCE_TILE; i += LANES) store(sums + i, thin_lane_sums(parts + i));
}

/* Adds the products over columns start ... start + depth to rows of y; the first of them begin the sums. */
static void reduce_rows(const ThinProduct *p, int64_t row, int64_t end, int64_t start, int64_t depth) {
  for (; row < end; row += REDUCE_ROWS)
    for (int64_t column = 0; column < p->thin; column += REDUCE_COLUMNS) {
      ReduceRows rows;
      for (int i = 0; i < REDUCE_ROWS; i++) rows.x[i] = p->x + thin_least(row + i, end - 1) * p->wide + start;
      for (int j = 0; j < REDUCE_COLUMNS; j++)
        rows.factor[j] = p->factor + thin_least(column + j, p->thin - 1) * p->wide + start;
      float sums[REDUCE_TILE];
      reduce_tile(&rows, depth, sums);
      for (int64_t i = 0; i < REDUCE_ROWS && row + i < end; i++)
        for (int64_t j = 0; j < REDUCE_COLUMNS && column + j < p->thin; j++) {
          float *y = p->y + (row + i) * p->thin + column + j;
          *y = (start == 0 ? 0 : *y) + sums[i * REDUCE_COLUMNS + j];
        }
    }
}

static void reduce_piece(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const ThinProduct *p = blocks->arguments;
  for (int64_t start = 0; start < p->wide; start += THIN_STRETCH)
    reduce_rows(p, first_row(blocks, index), end_row(blocks, index), start,
                thin_least(p->wide - start, THIN_STRETCH));
}

static void thin_reduce(const ThinProduct *given, const Parallel *parallel) {
  ThinProduct p = *given;
  p.factor = thin_factor(given, parallel);
  thin_for_rows(parallel, reduce_piece, &p);
}

/* ---- expand: y [rows, wide] = x [rows, thin] * factor -------------------------------------------------- */

#define EXPAND_ROWS 4
#define EXPAND_VECTORS (LANES == 16 ? 4 : 2)

/* `vectors` vectors of columns from `column` on, the last of them with `last` lanes. */
static inline void expand_tile(const ThinProduct *p, int64_t row, int64_t end, int64_t column, int vectors,
                               int64_t last) {
  Floats y[EXPAND_ROWS][EXPAND_VECTORS] = {};
  const float *x[EXPAND_ROWS];
  for (int i = 0; i < EXPAND_ROWS; i++) x[i] = p->x + thin_least(row + i, end - 1) * p->thin;
  const float *factor = p->factor + column;
  for (int i = 0; i < EXPAND_ROWS; i++) /* the same part of the next rows is fetched to be written */
    for (int ahead = 0; ahead < vectors * LANES; ahead += THIN_LINE)
      __builtin_prefetch(p->y + (row + EXPAND_ROWS + i) * p->wide + column + ahead, 1);
  for (int64_t j = 0; j < p->thin; j++, factor += p->wide) {
    Floats values[EXPAND_VECTORS];
    for (int v = 0; v < vectors; v++)
      values[v] = load_first(factor + v * LANES, v + 1 == vectors ? last : LANES);
    for (int i = 0; i < EXPAND_ROWS; i++)
      for (int v = 0; v < vectors; v++) y[i][v] += splat(x[i][j]) * values[v];
  }
  for (int i = 0; i < EXPAND_ROWS && row + i < end; i++)
    for (int v = 0; v < vectors; v++)
      store_first(p->y + (row + i) * p->wide + column + v * LANES, y[i][v], v + 1 == vectors ? last : LANES);
}

static void expand_piece(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const ThinProduct *p = blocks->arguments;
  int64_t end = end_row(blocks, index);
  for (int64_t start = 0; start < p->wide; start += THIN_STRETCH) {
    int64_t stop = thin_least(start + THIN_STRETCH, p->wide);
    for (int64_t row = first_row(blocks, index); row < end; row += EXPAND_ROWS) {
      int64_t column = start;
      for (; column + EXPAND_VECTORS * LANES <= stop; column += EXPAND_VECTORS * LANES)
        expand_tile(p, row, end, column, EXPAND_VECTORS, LANES);
      for (; column < stop; column += LANES)
        expand_tile(p, row, end, column, 1, thin_least(stop - column, LANES));
    }
  }
}

static void thin_expand(const ThinProduct *given, const Parallel *parallel) {
  ThinProduct p = *given;
  p.factor = thin_factor(given, parallel);
  thin_for_rows(parallel, expand_piece, &p);
}

/* ---- outer: y [thin, wide] = x [rows, thin]^T * wide_x [rows, wide] ------------------------------------ */

/* A piece is a strip of columns and a range of rows, with a buffer for its sums; whoever finishes the last
   piece of a strip adds up the strip's buffers. */
#define OUTER_STRIP 1024
#define OUTER_LEAST_ROWS 64
#define OUTER_PIECES 8
/* Rows that are multiplied for one tile of sums after the other; meanwhile, the next rows are fetched. */
#define OUTER_ROWS 16
#define OUTER_COLUMNS (LANES == 16 ? 8 : 4)
#define OUTER_VECTORS 2
#define OUTER_WIDTH (OUTER_VECTORS * LANES)

typedef struct {
  const ThinOuter *product;
  int64_t strips, strip; /* how many, and columns in each but the last: whole tiles */
  int64_t ranges, range; /* how many, and rows in each but the last */
  int64_t buffer;        /* values in one: [thin, filled up to whole tiles; strip] */
  float *sums;           /* [strips, ranges, buffer] */
  int *unfinished;       /* pieces of each strip */
} OuterPlan;

/* By the sizes alone, so that any number of threads adds in the same order. */
static OuterPlan outer_plan(const ThinOuter *p) {
  OuterPlan plan = {.product = p};
  int64_t strips = (p->wide + OUTER_STRIP - 1) / OUTER_STRIP;
  plan.strip = round_up((p->wide + strips - 1) / strips, OUTER_WIDTH);
  plan.strips = (p->wide + plan.strip - 1) / plan.strip;
  int64_t wanted = (OUTER_PIECES + plan.strips - 1) / plan.strips, most = p->rows / OUTER_LEAST_ROWS;
  plan.ranges = most < 1 ? 1 : thin_least(wanted, most);
  plan.range = (p->rows + plan.ranges - 1) / plan.ranges;
  plan.buffer = round_up(p->thin, OUTER_COLUMNS) * plan.strip;
  return plan;
}

/* Like load_first; nothing is there for a count below 1. */
static inline Floats outer_load(const float *from, int64_t count) {
  return count > 0 ? load_first(from, count) : (Floats){};
}

/* Adds to [OUTER_COLUMNS, OUTER_WIDTH] of a buffer; `width` columns of the wide array are there. */
static inline void outer_tile(const float *thin, int64_t thin_stride, const float *wide, int64_t wide_stride,
                              int64_t rows, int64_t width, float *sums, int64_t stride) {
  Floats tile[OUTER_COLUMNS][OUTER_VECTORS];
  for (int j = 0; j < OUTER_COLUMNS; j++)
    for (int v = 0; v < OUTER_VECTORS; v++) tile[j][v] = load(sums + j * stride + v * LANES);
  for (int64_t row = 0; row < rows; row++, thin += thin_stride, wide += wide_stride) {
    Floats values[OUTER_VECTORS];
    for (int ahead = 0; ahead < OUTER_WIDTH; ahead += THIN_LINE)
      __builtin_prefetch(wide + OUTER_ROWS * wide_stride + ahead, 0, 2);
    for (int v = 0; v < OUTER_VECTORS; v++) values[v] = outer_load(wide + v * LANES, width - v * LANES);
    for (int j = 0; j < OUTER_COLUMNS; j++)
      for (int v = 0; v < OUTER_VECTORS; v++) tile[j][v] += splat(thin[j]) * values[v];
  }
  for (int j = 0; j < OUTER_COLUMNS; j++)
    for (int v = 0; v < OUTER_VECTORS; v++) store(sums + j * stride + v * LANES, tile[j][v]);
}

/* Rows of the thin array's columns from `column` on, filled up with zeros where it has fewer. */
static void outer_pad(const ThinOuter *p, int64_t row, int64_t rows, int64_t column, float to[]) {
  memset(to, 0, OUTER_ROWS * OUTER_COLUMNS * sizeof *to);
  for (int64_t i = 0; i < rows; i++)
    memcpy(to + i * OUTER_COLUMNS, p->x + (row + i) * p->thin + column, (p->thin - column) * sizeof *to);
}

/* Adds the products of a few rows to a strip's sums. */
static void outer_rows(const ThinOuter *p, int64_t row, int64_t rows, int64_t start, int64_t width,
                       float *sums, int64_t stride) {
  float padded[OUTER_ROWS * OUTER_COLUMNS];
  const float *wide = p->wide_x + row * p->wide + start;
  for (int64_t column = 0; column < p->thin; column += OUTER_COLUMNS, sums += OUTER_COLUMNS * stride) {
    const float *thin = p->x + row * p->thin + column;
    int64_t thin_stride = p->thin;
    if (column + OUTER_COLUMNS > p->thin) {
      outer_pad(p, row, rows, column, padded);
      thin = padded;
      thin_stride = OUTER_COLUMNS;
    }
    int64_t at = 0;
    for (; at + OUTER_WIDTH <= width; at += OUTER_WIDTH)
      outer_tile(thin, thin_stride, wide + at, p->wide, rows, OUTER_WIDTH, sums + at, stride);
    if (at < width) outer_tile(thin, thin_stride, wide + at, p->wide, rows, width - at, sums + at, stride);
  }
}

/* The result's part in a strip: the sums of its ranges, in their order. */
static void outer_finish(const OuterPlan *plan, int64_t start, int64_t width, float *sums) {
  const ThinOuter *p = plan->product;
  for (int64_t range = 1; range < plan->ranges; range++)
    for (int64_t i = 0; i < plan->buffer; i += LANES)
      store(sums + i, load(sums + i) + load(sums + range * plan->buffer + i));
  for (int64_t j = 0; j < p->thin && !p->is_transposed; j++)
    memcpy(p->y + j * p->wide + start, sums + j * plan->strip, width * sizeof *sums);
  for (int64_t i = 0; i < width && p->is_transposed; i++)
    for (int64_t j = 0; j < p->thin; j++) p->y[(start + i) * p->thin + j] = sums[j * plan->strip + i];
}

static void outer_piece(void *argument, size_t index) {
  const OuterPlan *plan = argument;
  const ThinOuter *p = plan->product;
  int64_t strip = (int64_t)index % plan->strips, range = (int64_t)index / plan->strips;
  int64_t start = strip * plan->strip, width = thin_least(plan->strip, p->wide - start);
  float *strip_sums = plan->sums + strip * plan->ranges * plan->buffer;
  float *sums = strip_sums + range * plan->buffer;
  memset(sums, 0, plan->buffer * sizeof *sums);
  int64_t end = thin_least((range + 1) * plan->range, p->rows);
  for (int64_t row = range * plan->range; row < end; row += OUTER_ROWS)
    outer_rows(p, row, thin_least(OUTER_ROWS, end - row), start, width, sums, plan->strip);
  if (__atomic_sub_fetch(&plan->unfinished[strip], 1, __ATOMIC_ACQ_REL) == 0)
    outer_finish(plan, start, width, strip_sums);
}

static void thin_outer(const ThinOuter *p, const Parallel *parallel) {
  OuterPlan plan = outer_plan(p);
  plan.sums = scratch(0, plan.strips * plan.ranges * plan.buffer * sizeof *plan.sums);
  plan.unfinished = scratch(1, plan.strips * sizeof *plan.unfinished);
  for (int64_t strip = 0; strip < plan.strips; strip++) plan.unfinished[strip] = (int)plan.ranges;
  parallel_for(parallel, outer_piece, plan.strips * plan.ranges, &plan);
}

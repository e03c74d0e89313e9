/* The panel products of many rows in 16-bit integers, with one scale for each row and each column of a slice of the depth.
   Rows and columns are rounded as finely as lets a slice be a vector no longer than INTEGER_LENGTH: 0.0001 of its length
   off as a rule. The sums of a slice are exact. Weights of 4 bits are rounded to 2875 steps of the largest, as
   step * nibble and as minimum; backward the columns of a block share a scale. Where blocks are alike and hold 0, that is
   less than 1 / 100 of a step off. */
#ifndef FLACUNA_LINEAR_PANELS_INTEGERS_H
#define FLACUNA_LINEAR_PANELS_INTEGERS_H
#include "integers16.h"
#include "linear-panels-common.h"

/* A register tile is of 6 rows and 4 vectors, two panels side by side: what is loaded for a product matters, and 12 rows
   and 2 vectors would take two fifths more loads. */
#define PANEL_TILE_ROWS 6
#define PANEL_WIDTH (2 * PANEL_COLUMNS)
#define PANEL_VECTORS (PANEL_WIDTH / LANES)
#define PANEL_DEPTH 256
#define PANEL_SHORT_DEPTH PANEL_DEPTH
/* PANEL_DEPTH such integers are no longer than INTEGER_LENGTH. */
#define PANEL_WEIGHT_BOUND (INTEGER_LENGTH / 16)

/* x is prepared slice after slice, a slice as tiles of [16] scales, of which each row has one, then rows of PANEL_ROW_PAIRS
   pairs: what the panels of a slice read again and again lies side by side. */
#define PANEL_ROW_PAIRS (PANEL_DEPTH / 2)
#define PANEL_TILE_WORDS (16 + PANEL_TILE_ROWS * PANEL_ROW_PAIRS)
static inline int64_t panel_tile_bytes(const PanelWork *work) {
  return (work->depth + work->slice - 1) / work->slice * PANEL_TILE_WORDS * sizeof(int32_t);
}
static inline int32_t *panel_prepared(const PanelWork *work, int64_t start, int64_t tile) {
  const int64_t tiles = (work->row_stop - work->row_start + PANEL_TILE_ROWS - 1) / PANEL_TILE_ROWS;
  return (int32_t *)work->prepared + (start / work->slice * tiles + tile) * PANEL_TILE_WORDS;
}

/* `count` values as pairs, zeros behind them as far as whole blocks go; their scale is returned. */
static float panel_round_row(const float *x, int64_t count, int32_t *pairs) {
  Ints largest = {};
  Floats squares = {}, inverse;
  for (int64_t i = 0; i < count; i += LANES) {
    const Floats value = load_first(x + i, count - i);
    largest = larger_magnitude(largest, value);
    squares += value * value;
  }
  largest = splat_int(max_lane_int(largest));
  const Floats bound = integer_bounds(largest, splat(sum_lanes(squares)));
  const float scale = integer_scales(largest, bound, &inverse)[0];
  memset(pairs + count / PANEL_BLOCK * PANEL_BLOCK / 2, 0, count % PANEL_BLOCK ? PANEL_BLOCK * sizeof(int16_t) : 0);
  for (int64_t i = 0; i < count; i += LANES) store_integers(pairs + i / 2, load_first(x + i, count - i) * inverse);
  return scale;
}

/* A tile of x; rows that it lacks are never read. */
static void panel_prepare(void *argument, size_t index) {
  const PanelWork *work = argument;
  const int64_t depth = work->depth, row = work->row_start + (int64_t)index * PANEL_TILE_ROWS;
  const int64_t rows = panel_min(work->row_stop - row, PANEL_TILE_ROWS);
  for (int64_t start = 0; start < depth; start += work->slice) {
    int32_t *to = panel_prepared(work, start, index);
    for (int64_t r = 0; r < rows; r++) {
      const float scale = panel_round_row(work->product->x + (row + r) * depth + start,
                                          panel_min(work->slice, depth - start), to + 16 + r * PANEL_ROW_PAIRS);
      memcpy(to + r, &scale, sizeof scale);
    }
  }
}

/* to[rows][64] = from (null: 0) + x[rows][pairs] * groups[4][pairs][16], scaled; x: a slice of a tile */
PANEL_INLINE void panel_tile(const int rows, const int32_t *x, int64_t pairs, const int32_t *const groups[PANEL_VECTORS],
                             const float *column_scale, const float *from, int64_t from_stride, float *to,
                             int64_t to_stride) {
  Ints sums[PANEL_TILE_ROWS][PANEL_VECTORS];
  const int32_t *values = x + 16;
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < PANEL_VECTORS; v++) {
      sums[r][v] = (Ints){};
      __builtin_prefetch(to + r * to_stride + v * LANES, 1);
    }
  for (int64_t at = 0; at < pairs * PANEL_GROUP; at += PANEL_GROUP, values++) {
    const Ints weights[PANEL_VECTORS] = {load_ints(groups[0] + at), load_ints(groups[1] + at),
                                         load_ints(groups[2] + at), load_ints(groups[3] + at)};
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      const Ints pair = (Ints)_mm512_set1_epi32(values[r * PANEL_ROW_PAIRS]);
#pragma GCC unroll 4
      for (int v = 0; v < PANEL_VECTORS; v++) sums[r][v] = add_pair_products(sums[r][v], pair, weights[v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < PANEL_VECTORS; v++) {
      float row_scale;
      memcpy(&row_scale, x + r, sizeof row_scale);
      Floats value = (Floats)_mm512_cvtepi32_ps((__m512i)sums[r][v]) * splat(row_scale) * load(column_scale + v * LANES);
      if (from) value += load(from + r * from_stride + v * LANES);
      store(to + r * to_stride + v * LANES, value);
    }
}

#define PANEL_TILE(n) \
  case n: panel_tile(n, x, pairs, groups, column_scale, from, from_stride, to, to_stride); break;
/* The same for any number of rows, each count compiled on its own. */
static void panel_tile_of(int64_t rows, const int32_t *x, int64_t pairs, const int32_t *const groups[PANEL_VECTORS],
                          const float *column_scale, const float *from, int64_t from_stride, float *to,
                          int64_t to_stride) {
  switch (rows) {
    PANEL_TILE(1) PANEL_TILE(2) PANEL_TILE(3) PANEL_TILE(4) PANEL_TILE(5) PANEL_TILE(6)
  }
}

/* ---- panels of 4 bits: their largest values follow from scales and minimums, and nibbles need not become floats --------- */

/* nibble * 2^9 * step / 2^15, so steps are in 64ths: they are at most 2 / 15 of the bound. */
#define PANEL_STEP_PARTS 64.0f

/* Nibbles, doubled, in the bytes of words: in order those of low halves, then those of high halves. */
PANEL_INLINE __m512i panel_low_doubled(Ints words) { return (__m512i)(words << 1 & 0x1e1e1e1e); }
PANEL_INLINE __m512i panel_high_doubled(Ints words) { return (__m512i)(words >> 3 & 0x1e1e1e1e); }
/* Pairs: bytes `places` of each 16, as 16-bit integers, times step plus base. */
PANEL_INLINE void panel_store_pairs(int32_t *to, __m512i doubled, __m512i places, __m512i step, __m512i base) {
  const __m512i spread = _mm512_shuffle_epi8(doubled, places);
  _mm512_storeu_si512(to, _mm512_add_epi16(_mm512_mulhrs_epi16(spread, step), base));
}
/* Each word takes two bytes, `d` further on in each, to the high bytes of its halves. */
#define PANEL_PLACES(a, b, d) \
  _mm512_broadcast_i32x4(_mm_setr_epi8(-1, a, -1, b, -1, (a) + (d), -1, (b) + (d), -1, (a) + 2 * (d), -1, \
                                       (b) + 2 * (d), -1, (a) + 3 * (d), -1, (b) + 3 * (d)))

typedef struct {
  Floats scale, minimum;
} PanelBlocks;
/* Of 16 outputs and the block of inputs that `i` is in. */
PANEL_INLINE PanelBlocks panel_blocks(const PanelProduct *p, int64_t o, int64_t i) {
  const int64_t at = panel_block_at(p, o, i);
  return (PanelBlocks){load_float16(p->scales + at), load_float16(p->minimums + at)};
}
PANEL_INLINE Ints panel_largest(Ints largest, PanelBlocks blocks) {
  return larger_magnitude(larger_magnitude(largest, blocks.minimum), blocks.scale * 15.0f + blocks.minimum);
}
PANEL_INLINE __m512i panel_in_both_halves(Floats x) {
  const Ints value = (Ints)round_floats(x);
  return (__m512i)((value & 0xffff) | value << 16);
}

/* panel[2][depth / 2][16] pairs of inputs, columns are outputs. */
static void panel_round_int4_forward(const PanelProduct *p, int64_t start, int64_t depth, int64_t column,
                                     int32_t *panel, float *column_scale) {
  const __m512i first = PANEL_PLACES(0, 1, 4), second = PANEL_PLACES(2, 3, 4);
  for (int c = 0; c < PANEL_COLUMNS; c += PANEL_GROUP) {
    const uint32_t *from = panel_int4_at(p, column + c, start);
    int32_t *to = panel + c / 2 * depth;
    Ints largest = {};
    Floats inverse;
    for (int64_t d = 0; d < depth; d += PANEL_BLOCK)
      largest = panel_largest(largest, panel_blocks(p, column + c, start + d));
    store(column_scale + c, integer_scales(largest, splat(PANEL_WEIGHT_BOUND), &inverse));
    for (int64_t d = 0; d < depth; d += PANEL_BLOCK) {
      const PanelBlocks blocks = panel_blocks(p, column + c, start + d);
      const __m512i step = panel_in_both_halves(blocks.scale * inverse * PANEL_STEP_PARTS);
      const __m512i base = panel_in_both_halves(blocks.minimum * inverse);
#pragma GCC unroll 4
      for (int j = 0; j < PANEL_BLOCK / 8; j++, from += PANEL_GROUP, to += 4 * PANEL_GROUP) {
        const __m512i low = panel_low_doubled(panel_words(from)), high = panel_high_doubled(panel_words(from));
        panel_store_pairs(to, low, first, step, base);
        panel_store_pairs(to + PANEL_GROUP, low, second, step, base);
        panel_store_pairs(to + 2 * PANEL_GROUP, high, first, step, base);
        panel_store_pairs(to + 3 * PANEL_GROUP, high, second, step, base);
      }
    }
  }
}

/* 16 outputs of 16 columns, two words of each: pairs of outputs. */
PANEL_INLINE void panel_round_int4_square(const uint32_t *from, const int16_t *steps, const int16_t *bases,
                                          int32_t *to) {
  const __m512i places[2] = {PANEL_PLACES(0, 4, 1), PANEL_PLACES(8, 12, 1)};
  const Ints early = panel_words(from), late = panel_words(from + PANEL_GROUP);
  const __m512i low = panel_low_doubled(early), high = panel_high_doubled(early);
  const __m512i late_low = panel_low_doubled(late), late_high = panel_high_doubled(late);
  const __m512i front = _mm512_shuffle_i32x4(low, high, 0x44), back = _mm512_shuffle_i32x4(low, high, 0xee);
  const __m512i late_front = _mm512_shuffle_i32x4(late_low, late_high, 0x44);
  const __m512i late_back = _mm512_shuffle_i32x4(late_low, late_high, 0xee);
  const __m512i quads[4] = { /* of four outputs each, all columns in order */
      _mm512_shuffle_i32x4(front, late_front, 0x88), _mm512_shuffle_i32x4(front, late_front, 0xdd),
      _mm512_shuffle_i32x4(back, late_back, 0x88), _mm512_shuffle_i32x4(back, late_back, 0xdd)};
#pragma GCC unroll 8
  for (int pair = 0; pair < PANEL_GROUP / 2; pair++) {
    int32_t step, base;
    memcpy(&step, steps + 2 * pair, sizeof step);
    memcpy(&base, bases + 2 * pair, sizeof base);
    panel_store_pairs(to + pair * PANEL_GROUP, quads[pair / 2], places[pair % 2], _mm512_set1_epi32(step),
                      _mm512_set1_epi32(base));
  }
}

/* panel[2][depth / 2][16] pairs of outputs, columns are inputs of one block, which share a scale. */
static void panel_round_int4_backward(const PanelProduct *p, int64_t start, int64_t depth, int64_t column,
                                      int32_t *panel, float *column_scale) {
  int16_t steps[PANEL_DEPTH], bases[PANEL_DEPTH];
  Ints largest = {};
  Floats inverse;
  for (int64_t d = 0; d < depth; d += PANEL_GROUP) {
    panel_prefetch(panel_int4_at(p, start + d, column), 4);
    largest = panel_largest(largest, panel_blocks(p, start + d, column));
  }
  const float scale = integer_scale(largest, PANEL_WEIGHT_BOUND, &inverse);
  for (int c = 0; c < PANEL_COLUMNS; c += LANES) store(column_scale + c, splat(scale));
  for (int64_t d = 0; d < depth; d += PANEL_GROUP) {
    const PanelBlocks blocks = panel_blocks(p, start + d, column);
    const uint32_t *from = panel_int4_at(p, start + d, column);
    store_integers((int32_t *)(steps + d), blocks.scale * inverse * PANEL_STEP_PARTS);
    store_integers((int32_t *)(bases + d), blocks.minimum * inverse);
    for (int c = 0; c < PANEL_COLUMNS; c += LANES)
      panel_round_int4_square(from + c / 8 * PANEL_GROUP, steps + d, bases + d,
                              panel + c / 2 * depth + d / 2 * PANEL_GROUP);
  }
}

static void panel_round(const PanelWork *work, int64_t start, int64_t depth, int64_t column, int32_t *panel,
                        float *column_scale) {
  if (work->product->format == WEIGHTS_INT4) {
    if (work->backward) panel_round_int4_backward(work->product, start, depth, column, panel, column_scale);
    else panel_round_int4_forward(work->product, start, depth, column, panel, column_scale);
    return;
  }
  float *wide = scratch(1, PANEL_DEPTH * PANEL_COLUMNS * sizeof(float));
  work->unpack(work->product, start, depth, column, wide);
  for (int c = 0; c < PANEL_COLUMNS; c += PANEL_GROUP)
    integer_columns(wide + c, PANEL_COLUMNS, depth, PANEL_GROUP, panel + c / 2 * depth, column_scale + c);
}

/* A slice of two panels, in groups of 16 columns with a scale for each column: as the weights lie, or rounded. Where there
   is no second panel, nobody reads what its columns give. */
static void panel_take(const PanelWork *work, int64_t start, int64_t depth, int64_t column,
                       const int32_t *groups[PANEL_VECTORS], float *column_scale) {
  const PanelProduct *p = work->product;
  int32_t *memory = scratch(2, PANEL_DEPTH / 2 * PANEL_WIDTH * sizeof(int32_t));
  for (int v = 0; v < PANEL_VECTORS; v += 2, memory += depth / 2 * PANEL_COLUMNS) {
    const int64_t first = column + v * PANEL_GROUP;
    float *scale = column_scale + v * PANEL_GROUP;
    if (first >= work->columns) {
      groups[v] = groups[v + 1] = groups[0];
    } else if (panel_lies_ready(work)) {
      groups[v] = (const int32_t *)panel_pairs_at(p, first, start);
      groups[v + 1] = (const int32_t *)panel_pairs_at(p, first + PANEL_GROUP, start);
      memcpy(scale, p->row_scales + first, PANEL_COLUMNS * sizeof(float));
    } else {
      panel_round(work, start, depth, first, memory, scale);
      groups[v] = memory;
      groups[v + 1] = memory + depth / 2 * PANEL_GROUP;
    }
  }
}

/* Sums of two panels from slice to slice, [rows of the task][64]. Rows of y are pages apart. */
static float *panel_sums(const PanelWork *work, int64_t column) {
  float *sums = scratch(3, work->task_rows * work->task_columns * sizeof(float));
  return sums + column % work->task_columns * work->task_rows;
}

/* One slice of the depth of two panels, for the rows of a task. The first starts from the addend, the last writes y. */
static void panel_slice(const PanelWork *work, int64_t start, int64_t depth, int64_t column, int64_t row,
                        int64_t row_stop) {
  const PanelProduct *p = work->product;
  const int64_t padded = round_up(depth, PANEL_BLOCK), columns = panel_min(work->columns - column, PANEL_WIDTH);
  const int is_first = start == 0, is_last = start + depth == work->depth, is_whole = columns == PANEL_WIDTH;
  const int32_t *groups[PANEL_VECTORS];
  float column_scale[PANEL_WIDTH] = {0}, *sums = panel_sums(work, column);
  panel_take(work, start, padded, column, groups, column_scale);
  for (; row < row_stop; row += PANEL_TILE_ROWS, sums += PANEL_TILE_ROWS * PANEL_WIDTH) {
    const int64_t rows = panel_min(row_stop - row, PANEL_TILE_ROWS), at = row * work->columns + column;
    const int32_t *x = panel_prepared(work, start, (row - work->row_start) / PANEL_TILE_ROWS);
    const float *addend = p->addend ? p->addend + at : NULL, *from = sums;
    float *to = sums;
    int64_t from_stride = PANEL_WIDTH, to_stride = PANEL_WIDTH;
    if (is_first) from = is_whole ? addend : NULL, from_stride = work->columns;
    if (is_last && is_whole) to = p->y + at, to_stride = work->columns;
    panel_tile_of(rows, x, padded / 2, groups, column_scale, from, from_stride, to, to_stride);
    if (is_last && !is_whole) panel_add(sums, PANEL_WIDTH, rows, columns, addend, p->y + at, work->columns);
  }
}

#endif

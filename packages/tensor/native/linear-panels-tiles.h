/* The panel products of many rows in matrix tiles of bfloat16. */
#ifndef FLACUNA_LINEAR_PANELS_TILES_H
#define FLACUNA_LINEAR_PANELS_TILES_H
#include "amx.h"
#include "linear-panels-common.h"

#define PANEL_TILE_ROWS 32
#define PANEL_WIDTH PANEL_COLUMNS
#define PANEL_DEPTH 1024
#define PANEL_SHORT_DEPTH PANEL_DEPTH

/* A tile of x: [PANEL_TILE_ROWS][depth] bfloat16, the depth padded. */
static inline int64_t panel_tile_bytes(const PanelWork *work) {
  return PANEL_TILE_ROWS * round_up(work->depth, PANEL_BLOCK) * sizeof(uint16_t);
}

/* A slice of a panel as two strips of 16 columns, each [depth / 2][16 columns][2]. */
static void panel_unpack_bfloat16(const PanelWork *work, int64_t start, int64_t depth, int64_t column,
                                  uint16_t *panel) {
  float wide[PANEL_BLOCK * PANEL_COLUMNS] __attribute__((aligned(64)));
  const __m512i interleave = (__m512i)(__attribute__((vector_size(64))) uint16_t){
      0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  for (int64_t d = 0; d < depth; d += PANEL_BLOCK) {
    work->unpack(work->product, start + d, PANEL_BLOCK, column, wide);
    for (int pair = 0; pair < PANEL_BLOCK / 2; pair++)
      for (int strip = 0; strip < 2; strip++) {
        const float *even = wide + 2 * pair * PANEL_COLUMNS + strip * 16;
        __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)load(even + PANEL_COLUMNS), (__m512)load(even));
        _mm512_store_si512(panel + strip * depth * 16 + (d / 2 + pair) * 32,
                           _mm512_permutexvar_epi16(interleave, both));
      }
  }
}

/* sums[32][32] = x[32 rows, depth] times two strips of 16 columns */
static void panel_tiles(const uint16_t *x, int64_t stride, int64_t depth, const uint16_t *first, const uint16_t *second,
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
static void panel_slice(const PanelWork *work, int64_t start, int64_t depth, int64_t column, int64_t row,
                        int64_t row_stop) {
  const PanelProduct *p = work->product;
  int64_t stride = round_up(work->depth, PANEL_BLOCK), padded = round_up(depth, PANEL_BLOCK);
  const uint16_t *first, *second;
  if (p->format == WEIGHTS_BFLOAT16 && !work->backward) { /* packed as the tiles want them */
    first = (const uint16_t *)panel_pairs_at(p, column, start);
    second = (const uint16_t *)panel_pairs_at(p, column + 16, start);
  } else {
    uint16_t *panel = scratch(1, PANEL_DEPTH * PANEL_COLUMNS * sizeof(uint16_t));
    panel_unpack_bfloat16(work, start, padded, column, panel);
    first = panel;
    second = panel + padded * 16;
  }
  const float *from = start == 0 ? p->addend : p->y;
  int64_t columns = panel_min(work->columns - column, PANEL_COLUMNS);
  float sums[32 * 32] __attribute__((aligned(64)));
  for (; row < row_stop; row += 32) {
    panel_tiles((const uint16_t *)work->prepared + (row - work->row_start) * stride + start, stride, padded, first,
                second, sums);
    int64_t at = row * work->columns + column;
    panel_add(sums, PANEL_COLUMNS, panel_min(row_stop - row, 32), columns, from ? from + at : NULL, p->y + at,
              work->columns);
  }
}

/* 32 rows of x to bfloat16, padded with zeros. */
static void panel_prepare(void *argument, size_t index) {
  const PanelWork *work = argument;
  int64_t depth = work->depth, padded = round_up(depth, PANEL_BLOCK);
  int64_t row = work->row_start + (int64_t)index * PANEL_TILE_ROWS;
  uint16_t *to = (uint16_t *)work->prepared + (int64_t)index * PANEL_TILE_ROWS * padded;
  memset(to, 0, PANEL_TILE_ROWS * padded * sizeof *to);
  for (int64_t stop = panel_min(row + PANEL_TILE_ROWS, work->row_stop); row < stop; row++, to += padded) {
    const float *from = work->product->x + row * depth;
    int64_t d = 0;
    for (; d + 16 <= depth; d += 16)
      _mm256_storeu_si256((__m256i *)(to + d), (__m256i)_mm512_cvtneps_pbh((__m512)load(from + d)));
    for (; d < depth; d++) to[d] = to_bfloat16(from[d]);
  }
}

#endif

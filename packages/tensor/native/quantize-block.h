/* Rows of float32 to signed bytes with a scale and a sum for each block: what quantize-blocks.c and the kernels that
   quantise their result share, so that they agree to the bit. */
#ifndef FLACUNA_QUANTIZE_BLOCK_H
#define FLACUNA_QUANTIZE_BLOCK_H
#include "quantize-row.h"

#define LONGEST_BLOCK 64

/* One whole block. When its scale is 0 or NaN, its bytes are 0. */
static inline __attribute__((always_inline)) void quantize_block(const int block, const float *x, int8_t *q,
                                                                 float *scale, int32_t *sum) {
  Floats values[LONGEST_BLOCK / LANES];
  Ints seen = {}, total = {};
  for (int i = 0; i < block / LANES; i++) {
    values[i] = load(x + i * LANES);
    seen = quantize_see(seen, values[i]);
  }
  *scale = quantize_scale(seen);
  *sum = 0;
  if (!(*scale > 0)) {
    memset(q, 0, block);
    return;
  }
  Floats inverse = splat(1.0f / *scale);
  for (int i = 0; i < block / LANES; i++) {
    Ints rounded = quantize_round(values[i], inverse);
    Bytes bytes = low_bytes(rounded);
    memcpy(q + i * LANES, &bytes, LANES);
    total += rounded;
  }
  *sum = sum_ints(total);
}

static inline __attribute__((always_inline)) void quantize_blocks_of(const int block, const float *x, int64_t width,
                                                                     int8_t *q, float *scale, int32_t *sum) {
  int64_t at = 0;
  for (; at + block <= width; at += block) quantize_block(block, x + at, q + at, scale++, sum++);
  for (; at < round_up(width, DEPTH_STEP); at += block) {
    float rest[LONGEST_BLOCK] = {0};
    if (at < width) memcpy(rest, x + at, (width - at) * sizeof(float));
    quantize_block(block, rest, q + at, scale++, sum++);
  }
}

/* Writes row `row` of `to` from x[width]. */
static inline void quantize_row_in_blocks(const float *x, int64_t width, const BlockRows *to, int64_t row) {
  int64_t padded = round_up(width, DEPTH_STEP), first = row * (padded / to->block);
  if (to->block == 64) quantize_blocks_of(64, x, width, to->q + row * padded, to->scale + first, to->sum + first);
  else quantize_blocks_of(32, x, width, to->q + row * padded, to->scale + first, to->sum + first);
}

#endif

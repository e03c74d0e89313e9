/* Rows of float32 to signed bytes with a scale and a sum for each block: what quantize-blocks.c and the kernels that
   quantise their result share, so that they agree to the bit. */
#ifndef FLACUNA_QUANTIZE_BLOCK_H
#define FLACUNA_QUANTIZE_BLOCK_H
#include "quantize-row.h"

#define LONGEST_BLOCK 64

/* Without the last two bits, so that its product with ROUNDER is exact. */
static inline float short_scale(float scale) {
  uint32_t bits;
  memcpy(&bits, &scale, sizeof bits);
  bits &= ~UINT32_C(3);
  memcpy(&scale, &bits, sizeof scale);
  return scale;
}

/* One whole block; returns the sum of its bytes. When its scale is 0 or NaN, they are 0. */
static inline __attribute__((always_inline)) int32_t quantize_block(const int block, const float *x, int8_t *q,
                                                                    float *scale) {
  Floats values[LONGEST_BLOCK / LANES];
  Ints seen = {}, total = {};
  for (int i = 0; i < block / LANES; i++) {
    values[i] = load(x + i * LANES);
    seen = quantize_see(seen, values[i]);
  }
  *scale = quantize_scale(seen);
  if (block == 32) *scale = short_scale(*scale);
  if (!(*scale > 0)) {
    memset(q, 0, block);
    return 0;
  }
  Floats inverse = splat(1.0f / *scale);
  for (int i = 0; i < block / LANES; i++) {
    Ints rounded = quantize_round(values[i], inverse);
    Bytes bytes = low_bytes(rounded);
    memcpy(q + i * LANES, &bytes, LANES);
    total += rounded;
  }
  return sum_ints(total);
}

/* Writes row `row` of `to`, whose blocks are of `block`, from x[width]. */
static inline __attribute__((always_inline)) void quantize_blocks_of(const int block, const float *x, int64_t width,
                                                                     const BlockRows *to, int64_t row) {
  int64_t padded = round_up(width, DEPTH_STEP), place = row * (padded / block);
  int8_t *q = to->q + row * padded;
  for (int64_t at = 0; at < padded; at += block, place++) {
    float rest[LONGEST_BLOCK] = {0};
    const float *from = rest;
    if (at + block <= width) from = x + at;
    else if (at < width) memcpy(rest, x + at, (width - at) * sizeof(float));
    int32_t sum = quantize_block(block, from, q + at, to->scale + place);
    if (block == 64) to->start[place] = -128 * sum;
    else {
      to->shift[place] = to->scale[place] * -ROUNDER;
      to->offset[place] = to->scale[place] * (float)sum;
    }
  }
}

static inline void quantize_row_in_blocks(const float *x, int64_t width, const BlockRows *to, int64_t row) {
  if (to->block == 64) quantize_blocks_of(64, x, width, to, row);
  else quantize_blocks_of(32, x, width, to, row);
}

#endif

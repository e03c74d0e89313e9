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

/* What the low byte of a value counts is this much less than what the high byte counts. */
#define LOW_SHARE 128

typedef struct {
  float scale;
  int32_t sums[2]; /* of the first bytes, and of the second */
} BlockTotals;

/* One whole block, the bytes of its values to q[0] and, when these are two, q[1]. When its scale is 0 or NaN, they are 0. */
static inline __attribute__((always_inline)) BlockTotals quantize_block(const int block, const int bytes, const float *x,
                                                                        int8_t *const q[2]) {
  Floats values[LONGEST_BLOCK / LANES];
  Ints seen = {}, totals[2] = {};
  for (int i = 0; i < block / LANES; i++) {
    values[i] = load(x + i * LANES);
    seen = quantize_see(seen, values[i]);
  }
  float scale = quantize_scale(seen);
  if (block == 32) scale = short_scale(scale);
  if (bytes == 2 && scale < LOW_SHARE * FLT_MIN) scale = 0; /* the low bytes' has no inverse */
  if (!(scale > 0)) {
    for (int b = 0; b < bytes; b++) memset(q[b], 0, block);
    return (BlockTotals){.scale = scale};
  }
  Floats inverse = splat((bytes == 2 ? LOW_SHARE : 1) / scale);
  for (int i = 0; i < block / LANES; i++) {
    Ints parts[2] = {quantize_round(values[i], inverse)};
    if (bytes == 2) {
      Ints value = parts[0];
      parts[0] = (value + LOW_SHARE / 2) >> 7;
      parts[1] = value - parts[0] * LOW_SHARE;
    }
    for (int b = 0; b < bytes; b++) {
      Bytes low = low_bytes(parts[b]);
      memcpy(q[b] + i * LANES, &low, LANES);
      totals[b] += parts[b];
    }
  }
  return (BlockTotals){scale, {sum_ints(totals[0]), bytes == 2 ? sum_ints(totals[1]) : 0}};
}

/* Writes row `row` of `to`, which is of this kind, from x[width]. */
static inline __attribute__((always_inline)) void quantize_blocks_of(const int block, const int bytes, const float *x,
                                                                     int64_t width, const BlockRows *to, int64_t row) {
  const int64_t padded = round_up(width, DEPTH_STEP), blocks = padded / block;
  int64_t place = row * bytes * blocks;
  int8_t *q = to->q + row * bytes * padded;
  for (int64_t at = 0; at < padded; at += block, place++) {
    float rest[LONGEST_BLOCK] = {0};
    const float *from = rest;
    if (at + block <= width) from = x + at;
    else if (at < width) memcpy(rest, x + at, (width - at) * sizeof(float));
    BlockTotals totals = quantize_block(block, bytes, from, (int8_t *[]){q + at, q + at + (bytes - 1) * padded});
    for (int b = 0; b < bytes; b++) {
      int64_t here = place + b * blocks;
      float scale = to->scale[here] = b == 0 ? totals.scale : totals.scale / LOW_SHARE;
      if (block == 64) to->start[here] = -128 * totals.sums[b];
      else to->shift[here] = scale * -ROUNDER, to->offset[here] = scale * (float)totals.sums[b];
    }
  }
}

static inline void quantize_row_in_blocks(const float *x, int64_t width, const BlockRows *to, int64_t row) {
  if (to->block == 64 && to->bytes == 1) quantize_blocks_of(64, 1, x, width, to, row);
  else if (to->block == 64) quantize_blocks_of(64, 2, x, width, to, row);
  else if (to->bytes == 1) quantize_blocks_of(32, 1, x, width, to, row);
  else quantize_blocks_of(32, 2, x, width, to, row);
}

#endif

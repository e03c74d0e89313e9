/* One row of float32 to unsigned bytes with zero point 128: what quantize.c and the kernels that quantise their result
   share, so that they agree to the bit. */
#ifndef FLACUNA_QUANTIZE_ROW_H
#define FLACUNA_QUANTIZE_ROW_H
#include <float.h>
#include "kernels.h"
#include "vector.h"

typedef uint8_t Bytes __attribute__((vector_size(LANES)));

/* Lane by lane the larger of what was seen and |x|, as bit patterns: above every number comes infinity, above that NaN,
   so neither is lost. Start with zeros. */
static inline Ints quantize_see(Ints seen, Floats x) { return max_ints(seen, (Ints)x & 0x7fffffff); }

/* max |x| / 127; NaN when anything seen was not finite; 0 when all of it is too small for its scale to have an inverse. */
static inline float quantize_scale(Ints seen) {
  int32_t bits = max_lane_int(seen);
  float largest;
  memcpy(&largest, &bits, sizeof largest);
  if (!(largest <= FLT_MAX)) return NAN;
  float scale = largest / 127.0f;
  return scale < FLT_MIN ? 0.0f : scale;
}

static inline Floats quantize_operand(const float *x, const float *column_scale, int64_t at, int64_t width) {
  Floats value = load_first(x + at, width - at);
  return column_scale == NULL ? value : value * load_first(column_scale + at, width - at);
}

/* The scale of the row x * column_scale; column_scale may be null. */
static inline float quantize_row_scale(const float *x, const float *column_scale, int64_t width) {
  Ints seen[4] = {};
  int64_t i = 0;
  for (; i + 4 * LANES <= width; i += 4 * LANES)
    for (int part = 0; part < 4; part++)
      seen[part] = quantize_see(seen[part], quantize_operand(x, column_scale, i + part * LANES, width));
  for (; i < width; i += LANES) seen[0] = quantize_see(seen[0], quantize_operand(x, column_scale, i, width));
  return quantize_scale(max_ints(max_ints(seen[0], seen[1]), max_ints(seen[2], seen[3])));
}

/* The low byte of each lane. */
static inline Bytes low_bytes(Ints values) {
#if defined(PATH_AVX512)
  return (Bytes)_mm512_cvtepi32_epi8((__m512i)values);
#elif defined(PATH_AVX2)
  __m256i low = _mm256_and_si256((__m256i)values, _mm256_set1_epi32(255));
  __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  __m128i packed = _mm_packus_epi16(words, words);
  Bytes bytes;
  memcpy(&bytes, &packed, LANES);
  return bytes;
#else
  return __builtin_convertvector(values, Bytes);
#endif
}

/* Adding 1.5 * 2^23 rounds to the nearest integer, ties to even, and leaves it in the low bits. */
#define ROUNDER 12582912.0f
static inline Bytes quantize_bytes(Floats scaled) { return low_bytes((Ints)(scaled + splat(ROUNDER + ZERO_POINT))); }
static inline Ints quantize_round(Floats x, Floats inverse) {
  return (Ints)multiply_add(x, inverse, splat(ROUNDER)) - (Ints)splat(ROUNDER);
}

/* q[0 ... round_up(width, DEPTH_STEP)) of a row whose scale is known. A row whose scale is 0 or NaN is all zero point. */
static inline void quantize_row_values(const float *x, const float *column_scale, int64_t width, float scale,
                                       uint8_t *q) {
  int64_t padded = round_up(width, DEPTH_STEP);
  if (!(scale > 0)) {
    memset(q, ZERO_POINT, padded);
    return;
  }
  Floats inverse = splat(1.0f / scale);
  int64_t i = 0;
  for (; i + LANES <= width; i += LANES) {
    Bytes bytes = quantize_bytes(quantize_operand(x, column_scale, i, width) * inverse);
    memcpy(q + i, &bytes, LANES);
  }
  memset(q + i, ZERO_POINT, padded - i);
  if (i == width) return;
  Bytes bytes = quantize_bytes(quantize_operand(x, column_scale, i, width) * inverse);
  memcpy(q + i, &bytes, width - i);
}

/* Both passes; returns the scale. */
static inline float quantize_row(const float *x, const float *column_scale, int64_t width, uint8_t *q) {
  float scale = quantize_row_scale(x, column_scale, width);
  quantize_row_values(x, column_scale, width, scale, q);
  return scale;
}

#endif

/* Rounding of float32 to 16-bit integers and their products: vpdpwssd takes two at once, twice the rate of float32, with
   exact sums of 32 bits. Integers lie in pairs along the depth of a product, each pair one int32_t. */
#ifndef FLACUNA_INTEGERS16_H
#define FLACUNA_INTEGERS16_H
#include "kernels.h"
#include "vector.h"

/* sum + a.low * b.low + a.high * b.high. As text, since compilers spill the sums of the intrinsic. */
static inline __attribute__((always_inline)) Ints add_pair_products(Ints sum, Ints a, Ints b) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}

/* The larger magnitude, as the bits of a float: so ordered, NaN is the largest and is never lost. */
static inline Ints larger_magnitude(Ints largest, Floats x) { return max_ints(largest, (Ints)x & 0x7fffffff); }

/* Scale of values up to `largest`, NaN where that is not finite, and the factor that takes them to integers up to `bound`. */
static inline Floats integer_scales(Ints largest, Floats bound, Floats *inverse) {
  const Floats top = (Floats)largest;
  *inverse = (Floats)((Ints)(bound / top) & (top > splat(1e-30f)));
  return select_floats(top < splat(INFINITY), top / bound, splat(NAN));
}
/* The bound for values with this sum of squares: as large as they may be, or as a vector of INTEGER_LENGTH has them. Squares
   that are not normal numbers are taken for those of 256 values as large as the largest. */
static inline Floats integer_bounds(Ints largest, Floats squares) {
  const Ints normal = (squares > splat(1e-30f)) & (squares < splat(1e30f));
  const Floats bound = splat(INTEGER_LENGTH) * (Floats)largest / sqrt_floats(squares);
  return select_floats(normal, min_floats(bound, splat(32767.0f)), splat(INTEGER_LENGTH / 16));
}
static inline float integer_scale(Ints largest, float bound, Floats *inverse) {
#pragma GCC unroll 4
  for (int step = LANES / 2; step > 0; step /= 2)
    largest = max_ints(largest, (Ints)__builtin_shuffle(largest, LANE_NUMBERS ^ step));
  return integer_scales(largest, splat(bound), inverse)[0];
}

static inline Ints load_ints(const int32_t *from) { return (Ints)_mm512_loadu_si512(from); }
static inline __m512i round_floats(Floats x) { return _mm512_cvtps_epi32((__m512)x); }
/* 16 values -> 8 pairs */
static inline void store_integers(int32_t *pairs, Floats x) {
  _mm256_storeu_si256((__m256i *)pairs, _mm512_cvtsepi32_epi16(round_floats(x)));
}
/* 16 pairs of a value of each */
static inline void store_pairs(int32_t *pairs, Floats first, Floats second) {
  const __m512i high = _mm512_slli_epi32(round_floats(second), 16);
  _mm512_storeu_si512(pairs, _mm512_mask_blend_epi16(0xaaaaaaaa, round_floats(first), high));
}

/* rows [depth][row_step] -> [depth / 2][size] pairs along the depth, no more than 256; scales: [size]. A last row may be
   alone. */
static void integer_columns(const float *rows, int64_t row_step, int64_t depth, int64_t size, int32_t *pairs,
                            float *scales) {
  for (int64_t i = 0; i < size; i += LANES) {
    Ints largest = {};
    Floats squares = {}, inverse;
    for (int64_t t = 0; t < depth; t++) {
      const Floats value = load(rows + t * row_step + i);
      largest = larger_magnitude(largest, value);
      squares += value * value;
    }
    store(scales + i, integer_scales(largest, integer_bounds(largest, squares), &inverse));
    for (int64_t t = 0; t < depth; t += 2) {
      const Floats first = load(rows + t * row_step + i);
      const Floats second = t + 1 < depth ? load(rows + (t + 1) * row_step + i) : (Floats){};
      store_pairs(pairs + t / 2 * size + i, first * inverse, second * inverse);
    }
  }
}

#endif

/* Rounding of float32 to 16-bit integers and their products: vpdpwssd takes two at once, twice the rate of float32, with
   exact sums of 32 bits. Integers lie in pairs along the depth of a product, each pair one int32_t. */
#ifndef FLACUNA_INTEGERS16_H
#define FLACUNA_INTEGERS16_H
#include "kernels.h"
#include "vector.h"

typedef uint32_t UnsignedInts __attribute__((vector_size(LANES * 4)));
typedef int32_t IntsUnaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
static inline Ints load_ints(const int32_t *from) { return *(const IntsUnaligned *)from; }

/* sum + a.low * b.low + a.high * b.high, modulo 2^32. As text, since compilers spill the sums of the intrinsic. */
static inline __attribute__((always_inline)) Ints add_pair_products(Ints sum, Ints a, Ints b) {
#if defined(PATH_AVX512)
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#elif defined(PATH_AVX2)
  return (Ints)_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16((__m256i)a, (__m256i)b));
#else
  const Ints low = (a << 16 >> 16) * (b << 16 >> 16), high = (a >> 16) * (b >> 16);
  return (Ints)((UnsignedInts)sum + (UnsignedInts)low + (UnsignedInts)high);
#endif
}

/* LANES values to the nearest integers, saturated to 16 bits; of NaN any. */
static inline void store_integers16(int16_t *to, Floats x) {
#if defined(PATH_AVX512)
  _mm256_storeu_si256((__m256i *)to, _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32((__m512)x)));
#elif defined(PATH_AVX2)
  const __m256i wide = _mm256_cvtps_epi32((__m256)x);
  _mm_storeu_si128((__m128i *)to, _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1)));
#else
  const Floats magic = splat(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer, in the low bits */
  const Ints near = (Ints)(min_floats(max_floats(x, splat(-32768.0f)), splat(32767.0f)) + magic);
  for (int i = 0; i < LANES; i++) to[i] = (int16_t)near[i];
#endif
}
/* 2^x for x <= 0 to about 4e-6 relative, a tenth of a step of rounding; never below 2^-126; NaN stays NaN. */
static inline Floats share_of_score(Floats x) {
  const Floats magic = splat(12583039.0f); /* as in exp2_floats */
  x = max_floats(splat(-126.0f), x);
  const Floats shifted = x + magic, part = x - (shifted - magic);
  Floats p = splat(9.6663684e-3f);
  p = p * part + splat(5.5921976e-2f);
  p = p * part + splat(2.4022350e-1f);
  p = p * part + splat(6.9312102e-1f);
  p = p * part + splat(1.0f);
  return p * (Floats)((Ints)shifted << 23);
}

static inline Floats floats_of(Ints x) { return __builtin_convertvector(x, Floats); }

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

static inline Ints largest_magnitude(const float *x, int64_t size) {
  Ints largest = {};
  for (int64_t i = 0; i < size; i += LANES) largest = larger_magnitude(largest, load(x + i));
  return splat_int(max_lane_int(largest));
}
static inline float round_to_integers(const float *x, int64_t size, Ints largest, Floats bound, int16_t *to) {
  Floats inverse;
  const float scale = integer_scales(largest, bound, &inverse)[0];
  for (int64_t i = 0; i < size; i += LANES) store_integers16(to + i, load(x + i) * inverse);
  return scale;
}
/* `size` values as integers up to `bound`; returns their scale. size: a multiple of LANES. */
static inline float integers_up_to(const float *x, int64_t size, float bound, int16_t *to) {
  return round_to_integers(x, size, largest_magnitude(x, size), splat(bound), to);
}
/* The same for at most 256 values, as finely as lets them be a vector no longer than INTEGER_LENGTH. */
static inline float integers_by_length(const float *x, int64_t size, int16_t *to) {
  const Ints largest = largest_magnitude(x, size);
  Floats squares = {};
  for (int64_t i = 0; i < size; i += LANES) squares += load(x + i) * load(x + i);
  return round_to_integers(x, size, largest, integer_bounds(largest, splat(sum_lanes(squares))), to);
}

#if defined(PATH_AVX512)
static inline __m512i round_floats(Floats x) { return _mm512_cvtps_epi32((__m512)x); }
/* 16 values -> 8 pairs */
static inline void store_integers(int32_t *pairs, Floats x) { store_integers16((int16_t *)pairs, x); }
/* 16 pairs of a value of each */
static inline void store_pairs(int32_t *pairs, Floats first, Floats second) {
  const __m512i high = _mm512_slli_epi32(round_floats(second), 16);
  _mm512_storeu_si512(pairs, _mm512_mask_blend_epi16(0xaaaaaaaa, round_floats(first), high));
}

/* rows [depth][row_step] -> [depth / 2][size] pairs along the depth, no more than 256; scales: [size]. A last row may be
   alone. */
static inline void integer_columns(const float *rows, int64_t row_step, int64_t depth, int64_t size, int32_t *pairs,
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

#endif

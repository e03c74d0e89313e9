/* Vectors of the widest float32 the path has, in the compiler's own notation: one source for every instruction set.
   PATH_AMX implies PATH_AVX512; without either, and without PATH_AVX2, the code is portable C. */
#ifndef FLACUNA_VECTOR_H
#define FLACUNA_VECTOR_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(PATH_AMX) && !defined(PATH_AVX512)
#define PATH_AVX512
#endif
#if defined(PATH_AVX512) || defined(PATH_AVX2)
#include <immintrin.h>
#endif

#if defined(PATH_AVX512)
#define LANES 16
#elif defined(PATH_AVX2)
#define LANES 8
#else
#define LANES 4
#endif

#if LANES == 16
#define LANE_NUMBERS ((Ints){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
#elif LANES == 8
#define LANE_NUMBERS ((Ints){0, 1, 2, 3, 4, 5, 6, 7})
#else
#define LANE_NUMBERS ((Ints){0, 1, 2, 3})
#endif

typedef float Floats __attribute__((vector_size(LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(LANES * 4)));
typedef float FloatsUnaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

static inline Floats load(const float *from) { return *(const FloatsUnaligned *)from; }
static inline void store(float *to, Floats value) { *(FloatsUnaligned *)to = value; }
static inline Floats splat(float value) { return value - (Floats){}; }
static inline Ints splat_int(int32_t value) { return value - (Ints){}; }
/* a * b + c, rounded once where the path has an instruction for it. */
static inline Floats multiply_add(Floats a, Floats b, Floats c) {
#if defined(PATH_AVX512)
  return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(PATH_AVX2)
  return (Floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

static inline Floats select_floats(Ints mask, Floats a, Floats b) {
  return (Floats)((mask & (Ints)a) | (~mask & (Ints)b));
}
/* a > b ? a : b, so b where either is NaN: give the value that must not lose its NaN second. */
static inline Floats max_floats(Floats a, Floats b) {
#if defined(PATH_AVX512)
  return (Floats)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(PATH_AVX2)
  return (Floats)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return select_floats(a > b, a, b);
#endif
}
/* a < b ? a : b */
static inline Floats min_floats(Floats a, Floats b) {
#if defined(PATH_AVX512)
  return (Floats)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(PATH_AVX2)
  return (Floats)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return select_floats(a < b, a, b);
#endif
}
/* The first `count` lanes, 0 in the others; all of them when there are that many. Touches nothing beyond. */
static inline Floats load_first(const float *from, int64_t count) {
  if (count >= LANES) return load(from);
  Floats value = {};
  memcpy(&value, from, count * sizeof(float));
  return value;
}
static inline void store_first(float *to, Floats value, int64_t count) {
  if (count >= LANES) store(to, value);
  else memcpy(to, &value, count * sizeof(float));
}
static inline Ints max_ints(Ints a, Ints b) {
#if defined(PATH_AVX512)
  return (Ints)_mm512_max_epi32((__m512i)a, (__m512i)b);
#elif defined(PATH_AVX2)
  return (Ints)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
  Ints larger = a > b;
  return (larger & a) | (~larger & b);
#endif
}
static inline int32_t max_lane_int(Ints x) {
#if defined(PATH_AVX512)
  return _mm512_reduce_max_epi32((__m512i)x);
#else
  int32_t largest = x[0];
  for (int i = 1; i < LANES; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
#endif
}
static inline int32_t sum_ints(Ints x) {
#if defined(PATH_AVX512)
  return _mm512_reduce_add_epi32((__m512i)x);
#else
  int32_t total = 0;
  for (int i = 0; i < LANES; i++) total += x[i];
  return total;
#endif
}
/* Whether a comparison holds in any lane. */
static inline int any_lanes(Ints mask) {
#if defined(PATH_AVX512)
  return _mm512_movepi32_mask((__m512i)mask) != 0;
#elif defined(PATH_AVX2)
  return _mm256_movemask_ps((__m256)mask) != 0;
#else
  int32_t any = 0;
  for (int i = 0; i < LANES; i++) any |= mask[i];
  return any != 0;
#endif
}
static inline Floats sqrt_floats(Floats x) {
#if defined(PATH_AVX512)
  return (Floats)_mm512_sqrt_ps((__m512)x);
#elif defined(PATH_AVX2)
  return (Floats)_mm256_sqrt_ps((__m256)x);
#else
  for (int i = 0; i < LANES; i++) x[i] = sqrtf(x[i]);
  return x;
#endif
}
static inline float sum_lanes(Floats x) {
  float total = 0;
  for (int i = 0; i < LANES; i++) total += x[i];
  return total;
}
static inline float max_lanes(Floats x) {
  float largest = x[0];
  for (int i = 1; i < LANES; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/* 2^x: exact to about 2e-7 relative; 0 below -126, clamped at 127; NaN stays NaN. */
static inline Floats exp2_floats(Floats x) {
#if defined(PATH_AVX512)
  const __mmask16 visible = _mm512_cmp_ps_mask((__m512)x, (__m512)splat(-126.0f), _CMP_NLT_UQ);
  x = min_floats(splat(127.0f), x);
  Floats whole = (Floats)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  x = min_floats(splat(127.0f), max_floats(splat(-126.5f), x));
  const Floats magic = splat(12583039.0f); /* 1.5 * 2^23 + 127: adding it rounds to an integer, in the low bits */
  Floats whole = (x + magic) - magic;
#endif
  Floats part = x - whole;
  Floats p = splat(1.5403530e-4f);
  p = p * part + splat(1.3333558e-3f);
  p = p * part + splat(9.6181291e-3f);
  p = p * part + splat(5.5504109e-2f);
  p = p * part + splat(2.4022651e-1f);
  p = p * part + splat(6.9314718e-1f);
  p = p * part + splat(1.0f);
#if defined(PATH_AVX512)
  return (Floats)_mm512_maskz_scalef_ps(visible, (__m512)p, (__m512)whole);
#else
  Floats power = (Floats)((Ints)(whole + magic) << 23); /* 2^whole: 127 more is its exponent */
  Ints tiny = x < splat(-126.0f);
  return (Floats)((Ints)(p * power) & ~tiny);
#endif
}
#define LOG2_E 1.44269504f
static inline Floats exp_floats(Floats x) { return exp2_floats(x * splat(LOG2_E)); }
/* To about 2e-7 relative; 0 where that is below the least normal number. */
static inline Floats sigmoid_floats(Floats x) {
  Floats inverse = splat(1.0f) + exp_floats(-x);
#if defined(PATH_AVX512)
  Floats share = (Floats)_mm512_rcp14_ps((__m512)inverse); /* 14 bits; one step of Newton's makes them 28 */
  return share * (splat(2.0f) - inverse * share);
#else
  return splat(1.0f) / inverse;
#endif
}

static inline uint16_t to_bfloat16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)((bits >> 16) | 64);
  return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
static inline float from_bfloat16(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
static inline Floats load_bfloat16(const uint16_t *from) {
#if defined(PATH_AVX512)
  return (Floats)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from)), 16);
#elif defined(PATH_AVX2)
  return (Floats)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)from)), 16);
#else
  Floats values;
  for (int i = 0; i < LANES; i++) values[i] = from_bfloat16(from[i]);
  return values;
#endif
}
static inline void store_bfloat16(uint16_t *to, Floats values) {
#if defined(PATH_AVX512)
  Ints bits = (Ints)values, step = (bits >> 16 & 1) + 0x7fff;
  Ints rounded = (Ints)_mm512_add_epi32((__m512i)bits, (__m512i)step);
  Ints quiet = bits | 0x400000; /* what is not a number stays so */
  Ints halves = (Ints)select_floats(values == values, (Floats)rounded, (Floats)quiet);
  _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi32_epi16((__m512i)(halves >> 16)));
#else
  for (int i = 0; i < LANES; i++) to[i] = to_bfloat16(values[i]);
#endif
}
/* IEEE half precision, any pattern. */
static inline float from_float16(uint16_t half) {
  uint32_t exponent = half >> 10 & 31, fraction = half & 1023, sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t bits = exponent == 31 ? 0x7f800000 | fraction << 13 : (exponent + 112) << 23 | fraction << 13;
  float value = (float)fraction * 0x1p-24f;
  if (exponent == 0) memcpy(&bits, &value, 4);
  bits |= sign;
  memcpy(&value, &bits, 4);
  return value;
}
static inline Floats load_float16(const uint16_t *from) {
#if defined(PATH_AVX512)
  return (Floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
#elif defined(PATH_AVX2)
  return (Floats)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
#else
  Floats values;
  for (int i = 0; i < LANES; i++) values[i] = from_float16(from[i]);
  return values;
#endif
}

#endif

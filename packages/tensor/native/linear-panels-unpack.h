/* How the panel products unpack a panel of weights to float32: one function for each format and direction. */
#ifndef FLACUNA_LINEAR_PANELS_UNPACK_H
#define FLACUNA_LINEAR_PANELS_UNPACK_H
#include "kernels.h"
#include "vector.h"

#define PANEL_COLUMNS 32
#define PANEL_GROUP 16 /* outputs side by side in packed weights */
#define PANEL_BLOCK 32 /* inputs that share a scale; depths are unpacked in multiples of it */
#define PANEL_INLINE static inline __attribute__((always_inline))

PANEL_INLINE Ints panel_words(const uint32_t *from) {
  Ints words;
  memcpy(&words, from, sizeof words);
  return words;
}
/* The low and the high half of each word: bfloat16, or an integer. */
PANEL_INLINE Floats panel_low_half(Ints words, const int is_integer) {
  return is_integer ? __builtin_convertvector(words << 16 >> 16, Floats) : (Floats)(words << 16);
}
PANEL_INLINE Floats panel_high_half(Ints words, const int is_integer) {
  return is_integer ? __builtin_convertvector(words >> 16, Floats) : (Floats)(words & (int32_t)0xffff0000);
}
/* The low four bits of each lane as a float. */
PANEL_INLINE Floats panel_nibbles(Ints words) {
#if defined(PATH_AVX512)
  const __m512 numbers = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return (Floats)_mm512_permutexvar_ps((__m512i)words, numbers); /* looks at four bits of an index only */
#else
  return __builtin_convertvector(words & 15, Floats);
#endif
}

/* Places in packed weights, in words of 32 bits: of output `o` (a multiple of 16) and input `i`. */
static inline const uint32_t *panel_pairs_at(const PanelProduct *p, int64_t o, int64_t i) {
  return (const uint32_t *)p->packed + o * (round_up(p->in, PANEL_BLOCK) / 2) + i / 2 * PANEL_GROUP;
}
static inline const uint32_t *panel_int4_at(const PanelProduct *p, int64_t o, int64_t i) {
  return (const uint32_t *)p->packed + o * (p->in / 8) + i / 8 * PANEL_GROUP;
}
/* The place of their scale and minimum. */
static inline int64_t panel_block_at(const PanelProduct *p, int64_t o, int64_t i) {
  return o * (p->in / PANEL_BLOCK) + i / PANEL_BLOCK * PANEL_GROUP;
}

/* Writes panel[d][c], d < depth, c < 32: the weights from depth `start` and column `column` on. All are multiples of 32 and
   within the padded weights. */
typedef void (*PanelUnpack)(const PanelProduct *p, int64_t start, int64_t depth, int64_t column, float *panel);

PANEL_INLINE void panel_pairs_forward(const PanelProduct *p, int64_t start, int64_t depth, int64_t column, float *panel,
                                      const int is_integer) {
  for (int c = 0; c < PANEL_COLUMNS; c += LANES) {
    const uint32_t *from = panel_pairs_at(p, column + c / PANEL_GROUP * PANEL_GROUP, start) + c % PANEL_GROUP;
    const Floats scale = is_integer ? load(p->row_scales + column + c) : splat(1);
    for (int64_t d = 0; d < depth; d += 2, from += PANEL_GROUP) {
      Ints words = panel_words(from);
      float *to = panel + d * PANEL_COLUMNS + c;
      store(to, panel_low_half(words, is_integer) * scale);
      store(to + PANEL_COLUMNS, panel_high_half(words, is_integer) * scale);
    }
  }
}
static void panel_bfloat16_forward(const PanelProduct *p, int64_t start, int64_t depth, int64_t column, float *panel) {
  panel_pairs_forward(p, start, depth, column, panel, 0);
}
static void panel_int16_forward(const PanelProduct *p, int64_t start, int64_t depth, int64_t column, float *panel) {
  panel_pairs_forward(p, start, depth, column, panel, 1);
}

static void panel_int4_forward(const PanelProduct *p, int64_t start, int64_t depth, int64_t column, float *panel) {
  for (int c = 0; c < PANEL_COLUMNS; c += LANES) {
    int64_t group = column + c / PANEL_GROUP * PANEL_GROUP, lane = c % PANEL_GROUP;
    const uint32_t *from = panel_int4_at(p, group, start) + lane;
    for (int64_t block = 0; block < depth; block += PANEL_BLOCK) {
      int64_t at = panel_block_at(p, group, start + block) + lane;
      Floats scale = load_float16(p->scales + at), minimum = load_float16(p->minimums + at);
      for (int64_t d = block; d < block + PANEL_BLOCK; d += 8, from += PANEL_GROUP) {
        Ints words = panel_words(from);
        float *to = panel + d * PANEL_COLUMNS + c;
        for (int b = 0; b < 4; b++, to += PANEL_COLUMNS) {
          store(to, panel_nibbles(words >> (8 * b)) * scale + minimum);
          store(to + 4 * PANEL_COLUMNS, panel_nibbles(words >> (8 * b + 4)) * scale + minimum);
        }
      }
    }
  }
}

/* Backward, neighbouring groups of outputs lie far apart: asks early for what the CPU cannot guess. */
#define PANEL_AHEAD (3 * PANEL_GROUP)
static inline void panel_prefetch(const uint32_t *from, int lines) {
  for (int i = 0; i < lines; i++) __builtin_prefetch(from + i * 16, 0, 2);
}

/* Words [16 pairs of inputs][16 outputs] turned to [16 outputs][16 pairs]. */
static void panel_turn(const uint32_t *from, uint32_t *to) {
#if defined(PATH_AVX512)
  __m512i rows[16], quads[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) { /* lane l of quads[i + q]: output 4l + q of rows i ... i + 3 */
    for (int r = 0; r < 4; r++) rows[i + r] = _mm512_loadu_si512(from + (i + r) * 16);
    __m512i low01 = _mm512_unpacklo_epi32(rows[i], rows[i + 1]), high01 = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    __m512i low23 = _mm512_unpacklo_epi32(rows[i + 2], rows[i + 3]);
    __m512i high23 = _mm512_unpackhi_epi32(rows[i + 2], rows[i + 3]);
    quads[i] = _mm512_unpacklo_epi64(low01, low23);
    quads[i + 1] = _mm512_unpackhi_epi64(low01, low23);
    quads[i + 2] = _mm512_unpacklo_epi64(high01, high23);
    quads[i + 3] = _mm512_unpackhi_epi64(high01, high23);
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; q++) { /* then the same with lanes for elements */
    __m512i even01 = _mm512_shuffle_i32x4(quads[q], quads[q + 4], 0x88);
    __m512i odd01 = _mm512_shuffle_i32x4(quads[q], quads[q + 4], 0xdd);
    __m512i even23 = _mm512_shuffle_i32x4(quads[q + 8], quads[q + 12], 0x88);
    __m512i odd23 = _mm512_shuffle_i32x4(quads[q + 8], quads[q + 12], 0xdd);
    _mm512_storeu_si512(to + q * 16, _mm512_shuffle_i32x4(even01, even23, 0x88));
    _mm512_storeu_si512(to + (q + 4) * 16, _mm512_shuffle_i32x4(odd01, odd23, 0x88));
    _mm512_storeu_si512(to + (q + 8) * 16, _mm512_shuffle_i32x4(even01, even23, 0xdd));
    _mm512_storeu_si512(to + (q + 12) * 16, _mm512_shuffle_i32x4(odd01, odd23, 0xdd));
  }
#else
  for (int o = 0; o < PANEL_GROUP; o++)
    for (int pair = 0; pair < PANEL_BLOCK / 2; pair++) to[o * (PANEL_BLOCK / 2) + pair] = from[pair * PANEL_GROUP + o];
#endif
}

/* A pair's half as it was turned; `scale` is of its output, integers alone have one. */
PANEL_INLINE float panel_half(uint16_t half, float scale, const int is_integer) {
  return is_integer ? (float)(int16_t)half * scale : from_bfloat16(half);
}
PANEL_INLINE void panel_pairs_backward(const PanelProduct *p, int64_t start, int64_t depth, int64_t column,
                                       float *panel, const int is_integer) {
  union {
    uint32_t words[PANEL_GROUP * PANEL_BLOCK / 2];
    uint16_t halves[PANEL_GROUP][PANEL_BLOCK];
  } __attribute__((aligned(64))) turned;
  for (int64_t d = 0; d < depth; d += PANEL_GROUP) {
    if (d + PANEL_AHEAD < depth) panel_prefetch(panel_pairs_at(p, start + d + PANEL_AHEAD, column), 16);
    panel_turn(panel_pairs_at(p, start + d, column), turned.words);
    for (int o = 0; o < PANEL_GROUP; o++, panel += PANEL_COLUMNS) {
      const float scale = is_integer ? p->row_scales[start + d + o] : 1;
      for (int i = 0; i < PANEL_COLUMNS; i++) panel[i] = panel_half(turned.halves[o][i], scale, is_integer);
    }
  }
}
static void panel_bfloat16_backward(const PanelProduct *p, int64_t start, int64_t depth, int64_t column, float *panel) {
  panel_pairs_backward(p, start, depth, column, panel, 0);
}
static void panel_int16_backward(const PanelProduct *p, int64_t start, int64_t depth, int64_t column, float *panel) {
  panel_pairs_backward(p, start, depth, column, panel, 1);
}

/* The nibbles of one output's two neighbouring words, 16 inputs in order, as floats: vector `part` of them. */
PANEL_INLINE Floats panel_spread(const uint32_t *from, int output, int part) {
#if LANES == 16
  (void)part;
  const Ints shifts = {0, 8, 16, 24, 4, 12, 20, 28, 0, 8, 16, 24, 4, 12, 20, 28};
  const Ints places = {0, 0, 0, 0, 0, 0, 0, 0, 16, 16, 16, 16, 16, 16, 16, 16};
  Ints words = (Ints)_mm512_permutex2var_epi32((__m512i)panel_words(from), (__m512i)(places + output),
                                               (__m512i)panel_words(from + PANEL_GROUP));
#elif LANES == 8
  const Ints shifts = {0, 8, 16, 24, 4, 12, 20, 28};
  Ints words = (Ints){} + (int32_t)from[part * PANEL_GROUP + output];
#else
  const Ints shifts = ((Ints){0, 8, 16, 24}) + (part % 2 * 4);
  Ints words = (Ints){} + (int32_t)from[part / 2 * PANEL_GROUP + output];
#endif
  return panel_nibbles(words >> shifts);
}

static void panel_int4_backward(const PanelProduct *p, int64_t start, int64_t depth, int64_t column, float *panel) {
  float scales[PANEL_GROUP], minimums[PANEL_GROUP];
  for (int64_t d = 0; d < depth; d += PANEL_GROUP) {
    const uint32_t *from = panel_int4_at(p, start + d, column);
    if (d + PANEL_AHEAD < depth) panel_prefetch(panel_int4_at(p, start + d + PANEL_AHEAD, column), 4);
    int64_t at = panel_block_at(p, start + d, column);
    for (int o = 0; o < PANEL_GROUP; o += LANES) {
      store(scales + o, load_float16(p->scales + at + o));
      store(minimums + o, load_float16(p->minimums + at + o));
    }
    for (int o = 0; o < PANEL_GROUP; o++) {
      Floats scale = splat(scales[o]), minimum = splat(minimums[o]);
      for (int half = 0; half < 2; half++)
        for (int part = 0; part < 16 / LANES; part++, panel += LANES)
          store(panel, panel_spread(from + half * 2 * PANEL_GROUP, o, part) * scale + minimum);
    }
  }
}

static const PanelUnpack panel_unpack[3][2] = {
    [WEIGHTS_BFLOAT16] = {panel_bfloat16_forward, panel_bfloat16_backward},
    [WEIGHTS_INT16] = {panel_int16_forward, panel_int16_backward},
    [WEIGHTS_INT4] = {panel_int4_forward, panel_int4_backward},
};

#endif

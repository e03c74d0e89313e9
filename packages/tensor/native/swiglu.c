/* The gated activation h = silu(gate) * up, with the Hadamard matrix and the quantisation that may follow, its pullback,
   and the Hadamard matrix alone. Columns go through registers 64 at a time. */
#include "kernels.h"
#include "quantize-block.h"
#include "row-blocks.h"
#include "scratch.h"
#include "vector.h"

#define SWIGLU_RUN 64
#define SWIGLU_VECTORS (SWIGLU_RUN / LANES)

/* ---- the Hadamard matrix of order 64 ------------------------------------------------------------------------------- */

#if LANES == 16
static const Ints HADAMARD_LANE = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif LANES == 8
static const Ints HADAMARD_LANE = {0, 1, 2, 3, 4, 5, 6, 7};
#else
static const Ints HADAMARD_LANE = {0, 1, 2, 3};
#endif

/* x[lane ^ distance] */
static inline Floats hadamard_partners(Floats x, int distance) {
#if defined(PATH_AVX512)
  return (Floats)_mm512_permutexvar_ps((__m512i)(HADAMARD_LANE ^ distance), (__m512)x);
#elif defined(PATH_AVX2)
  return (Floats)_mm256_permutevar8x32_ps((__m256)x, (__m256i)(HADAMARD_LANE ^ distance));
#else
  return distance == 1 ? (Floats){x[1], x[0], x[3], x[2]} : (Floats){x[2], x[3], x[0], x[1]};
#endif
}

/* a + b in the first of each pair of lanes `distance` apart, a - b in the second. */
static inline Floats hadamard_lanes(Floats x, int distance) {
  Ints second = (HADAMARD_LANE & distance) != 0;
  Floats sign = select_floats(second, splat(-1.0f), splat(1.0f));
  return x * sign + hadamard_partners(x, distance);
}

/* The same for pairs of vectors. */
static inline void hadamard_vectors(Floats x[SWIGLU_VECTORS], int distance) {
  for (int i = 0; i < SWIGLU_VECTORS; i++) {
    if (i & distance) continue;
    Floats a = x[i], b = x[i + distance];
    x[i] = a + b;
    x[i + distance] = a - b;
  }
}

/* 64 values times the symmetric matrix with entries (-1)^popcount(i & j) / 8: a butterfly for each bit of the index.
   Distances are written out, so that they are constants to the compiler. */
static inline void hadamard_run(Floats x[SWIGLU_VECTORS]) {
  for (int i = 0; i < SWIGLU_VECTORS; i++) {
    x[i] = hadamard_lanes(hadamard_lanes(x[i] * splat(0.125f), 1), 2);
    if (LANES > 4) x[i] = hadamard_lanes(x[i], 4);
    if (LANES > 8) x[i] = hadamard_lanes(x[i], 8);
  }
  hadamard_vectors(x, 1);
  hadamard_vectors(x, 2);
  if (SWIGLU_VECTORS > 4) hadamard_vectors(x, 4);
  if (SWIGLU_VECTORS > 8) hadamard_vectors(x, 8);
}

static void hadamard_rows(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const Hadamard *p = blocks->arguments;
  int64_t end = end_row(blocks, index) * p->width;
  for (int64_t at = first_row(blocks, index) * p->width; at < end; at += SWIGLU_RUN) {
    Floats run[SWIGLU_VECTORS];
    for (int i = 0; i < SWIGLU_VECTORS; i++) run[i] = load(p->x + at + i * LANES);
    hadamard_run(run);
    for (int i = 0; i < SWIGLU_VECTORS; i++) store(p->y + at + i * LANES, run[i]);
  }
}

static void hadamard(const Hadamard *p, const Parallel *parallel) {
  for_row_blocks(parallel, hadamard_rows, p, p->rows, p->width);
}

/* ---- forward --------------------------------------------------------------------------------------------------------- */

static inline Floats swiglu_value(Floats gate, Floats up) { return gate * sigmoid_floats(gate) * up; }

/* The next 64 columns of a row: rotated as asked, written to h; returns the magnitudes seen so far. */
static inline Ints swiglu_run(const float *gate, const float *up, int rotated, float *h, Ints seen) {
  Floats run[SWIGLU_VECTORS];
  for (int i = 0; i < SWIGLU_VECTORS; i++) run[i] = swiglu_value(load(gate + i * LANES), load(up + i * LANES));
  if (rotated) hadamard_run(run);
  for (int i = 0; i < SWIGLU_VECTORS; i++) {
    seen = quantize_see(seen, run[i]);
    store(h + i * LANES, run[i]);
  }
  return seen;
}

static inline Ints swiglu_row(const float *gate, const float *up, int64_t width, int rotated, float *h) {
  Ints seen = {};
  int64_t i = 0;
  for (; i + SWIGLU_RUN <= width; i += SWIGLU_RUN) seen = swiglu_run(gate + i, up + i, rotated, h + i, seen);
  for (; i < width; i += LANES) {
    Floats value = swiglu_value(load_first(gate + i, width - i), load_first(up + i, width - i));
    seen = quantize_see(seen, value);
    store_first(h + i, value, width - i);
  }
  return seen;
}

static void swiglu_rows(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const Swiglu *p = blocks->arguments;
  int64_t width = p->width, padded = round_up(width, DEPTH_STEP);
  float *unkept = p->h == NULL ? scratch(0, width * sizeof(float)) : NULL;
  for (int64_t row = first_row(blocks, index); row < end_row(blocks, index); row++) {
    const float *gate = p->gate + row * width, *up = p->up + row * width;
    float *h = unkept == NULL ? p->h + row * width : unkept;
    Ints seen = p->hadamard ? swiglu_row(gate, up, width, 1, h) : swiglu_row(gate, up, width, 0, h);
    if (p->blocks.q != NULL) quantize_row_in_blocks(h, width, &p->blocks, row);
    if (p->q == NULL) continue;
    p->scale[row] = quantize_scale(seen);
    quantize_row_values(h, NULL, width, p->scale[row], p->q + row * padded);
  }
}

static void swiglu(const Swiglu *p, const Parallel *parallel) {
  for_row_blocks(parallel, swiglu_rows, p, p->rows, p->width);
}

/* ---- pullback -------------------------------------------------------------------------------------------------------- */

typedef struct {
  Floats gate, up;
} SwigluSlopes;

/* With share = sigmoid(gate) and y = gate * share: d_up = g * y, d_gate = g * up * (share + y * (1 - share)). */
static inline SwigluSlopes swiglu_pullback(Floats g, Floats gate, Floats up) {
  Floats share = sigmoid_floats(gate);
  Floats y = gate * share;
  return (SwigluSlopes){g * up * (share + y * (splat(1.0f) - share)), g * y};
}

static inline void swiglu_grad_run(const SwigluGrad *p, int64_t at, int rotated) {
  Floats g[SWIGLU_VECTORS];
  for (int i = 0; i < SWIGLU_VECTORS; i++) g[i] = load(p->g + at + i * LANES);
  if (rotated) hadamard_run(g);
  for (int i = 0; i < SWIGLU_VECTORS; i++) {
    int64_t next = at + i * LANES;
    SwigluSlopes d = swiglu_pullback(g[i], load(p->gate + next), load(p->up + next));
    store(p->d_gate + next, d.gate);
    store(p->d_up + next, d.up);
  }
}

/* Rows do not matter here: a piece is one stretch of values. */
static inline void swiglu_grad_stretch(const SwigluGrad *p, int64_t start, int64_t end, int rotated) {
  int64_t at = start;
  for (; at + SWIGLU_RUN <= end; at += SWIGLU_RUN) swiglu_grad_run(p, at, rotated);
  for (; at < end; at += LANES) {
    int64_t left = end - at;
    SwigluSlopes d =
        swiglu_pullback(load_first(p->g + at, left), load_first(p->gate + at, left), load_first(p->up + at, left));
    store_first(p->d_gate + at, d.gate, left);
    store_first(p->d_up + at, d.up, left);
  }
}

static void swiglu_grad_rows(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const SwigluGrad *p = blocks->arguments;
  int64_t start = first_row(blocks, index) * p->width, end = end_row(blocks, index) * p->width;
  if (p->hadamard) swiglu_grad_stretch(p, start, end, 1);
  else swiglu_grad_stretch(p, start, end, 0);
}

/* A row in float32: where it is, or from its 16 bits in `wide`. */
static const float *swiglu_widened(const float *row, const uint16_t *kept, int64_t width, float *wide) {
  if (kept == NULL) return row;
  int64_t i = 0;
  for (; i + LANES <= width; i += LANES) store(wide + i, load_bfloat16(kept + i));
  for (; i < width; i++) wide[i] = from_bfloat16(kept[i]);
  return wide;
}

/* Row `row` of a part that may not be there. */
#define SWIGLU_ROW(part, row, width) ((part) == NULL ? NULL : (part) + (row) * (width))

/* Each row's gradients are quantised while they are in the nearest cache, and never leave it as float32. */
static void swiglu_grad_quantized_rows(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const SwigluGrad *p = blocks->arguments;
  int64_t width = p->width, padded = round_up(width, DEPTH_STEP);
  float *d_gate = scratch(0, 4 * width * sizeof(float)), *d_up = d_gate + width;
  float *gate = d_up + width, *up = gate + width;
  for (int64_t row = first_row(blocks, index); row < end_row(blocks, index); row++) {
    SwigluGrad one = {.g = p->g + row * width, .d_gate = d_gate, .d_up = d_up};
    one.gate = swiglu_widened(SWIGLU_ROW(p->gate, row, width), SWIGLU_ROW(p->kept_gate, row, width), width, gate);
    one.up = swiglu_widened(SWIGLU_ROW(p->up, row, width), SWIGLU_ROW(p->kept_up, row, width), width, up);
    if (p->hadamard) swiglu_grad_stretch(&one, 0, width, 1);
    else swiglu_grad_stretch(&one, 0, width, 0);
    p->quantized_gate.scale[row] =
        quantize_row(d_gate, p->quantized_gate.column_scale, width, p->quantized_gate.q + row * padded);
    p->quantized_up.scale[row] =
        quantize_row(d_up, p->quantized_up.column_scale, width, p->quantized_up.q + row * padded);
  }
}

static void swiglu_grad(const SwigluGrad *p, const Parallel *parallel) {
  Task task = p->d_gate == NULL ? swiglu_grad_quantized_rows : swiglu_grad_rows;
  for_row_blocks(parallel, task, p, p->rows, p->width);
}

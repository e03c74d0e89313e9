/* Root-mean-square normalisation, with the quantisation of its result, and its pullback to x. A row is read from memory
   once: the second and third look at it find it in the first cache. */
#include "kernels.h"
#include "quantize-block.h"
#include "row-blocks.h"
#include "scratch.h"
#include "vector.h"

static inline float norm_total(const Floats parts[4]) {
  return sum_lanes((parts[0] + parts[1]) + (parts[2] + parts[3]));
}

static float norm_inverse(const float *x, int64_t width, float epsilon) {
  Floats squares[4] = {};
  int64_t i = 0;
  for (; i + 4 * LANES <= width; i += 4 * LANES)
    for (int part = 0; part < 4; part++) {
      Floats value = load(x + i + part * LANES);
      squares[part] += value * value;
    }
  for (; i < width; i += LANES) {
    Floats value = load_first(x + i, width - i);
    squares[0] += value * value;
  }
  return 1.0f / sqrtf(norm_total(squares) / (float)width + epsilon);
}

/* Writes a normalised row; returns the magnitudes in it, for its scale. */
static Ints norm_apply(const float *x, const float *gain, float inverse, int64_t width, float *normalised) {
  Floats factor = splat(inverse);
  Ints seen = {};
  int64_t i = 0;
  for (; i + LANES <= width; i += LANES) {
    Floats value = load(x + i) * factor * load(gain + i);
    seen = quantize_see(seen, value);
    store(normalised + i, value);
  }
  if (i < width) {
    Floats value = load_first(x + i, width - i) * factor * load_first(gain + i, width - i);
    seen = quantize_see(seen, value);
    store_first(normalised + i, value, width - i);
  }
  return seen;
}

static void norm_rows(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const RmsNorm *p = blocks->arguments;
  int64_t width = p->width, padded = round_up(width, DEPTH_STEP);
  float *unkept = p->normalised == NULL ? scratch(0, width * sizeof(float)) : NULL;
  for (int64_t row = first_row(blocks, index); row < end_row(blocks, index); row++) {
    const float *x = p->x + row * width;
    float *normalised = unkept == NULL ? p->normalised + row * width : unkept;
    float inverse = norm_inverse(x, width, p->epsilon);
    Ints seen = norm_apply(x, p->gain, inverse, width, normalised);
    if (p->inverse != NULL) p->inverse[row] = inverse;
    if (p->blocks.q != NULL) quantize_row_in_blocks(normalised, width, &p->blocks, row);
    if (p->q == NULL) continue;
    p->scale[row] = quantize_scale(seen);
    quantize_row_values(normalised, NULL, width, p->scale[row], p->q + row * padded);
  }
}

static void rms_norm(const RmsNorm *p, const Parallel *parallel) {
  for_row_blocks(parallel, norm_rows, p, p->rows, p->width);
}

/* sum(g * gain * x) */
static float norm_projection(const float *g, const float *gain, const float *x, int64_t width) {
  Floats sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * LANES <= width; i += 4 * LANES)
    for (int part = 0; part < 4; part++) {
      int64_t at = i + part * LANES;
      sums[part] += load(g + at) * load(gain + at) * load(x + at);
    }
  for (; i < width; i += LANES) {
    int64_t left = width - i;
    sums[0] += load_first(g + i, left) * load_first(gain + i, left) * load_first(x + i, left);
  }
  return norm_total(sums);
}

/* With n = x * inverse: inverse * n * mean(g * gain * n) = inverse * x * share, share = inverse^2 * projection / width. */
static inline void norm_grad_row(const RmsNormGrad *p, int64_t row) {
  int64_t width = p->width;
  const float *g = p->g + row * width, *x = p->x + row * width, *gain = p->gain;
  const float *addend = p->addend == NULL ? NULL : p->addend + row * width;
  float *dx = p->dx + row * width, inverse = p->inverse[row];
  Floats factor = splat(inverse);
  Floats share = splat(inverse * (inverse * norm_projection(g, gain, x, width) / (float)width));
  for (int64_t i = 0; i < width; i += LANES) {
    int64_t left = width - i;
    Floats scaled = load_first(g + i, left) * load_first(gain + i, left);
    Floats value = factor * (scaled - load_first(x + i, left) * share);
    if (addend != NULL) value += load_first(addend + i, left);
    store_first(dx + i, value, left);
  }
}

static void norm_grad_rows(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  for (int64_t row = first_row(blocks, index); row < end_row(blocks, index); row++)
    norm_grad_row(blocks->arguments, row);
}

static void rms_norm_grad(const RmsNormGrad *p, const Parallel *parallel) {
  for_row_blocks(parallel, norm_grad_rows, p, p->rows, p->width);
}

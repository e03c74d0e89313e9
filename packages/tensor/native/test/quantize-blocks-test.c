/* Quantisation in blocks against plain loops: bytes, scales, what their sums give, padding, and blocks that are zero, tiny or not finite. */
#include <float.h>
#include "check.h"

static float scale_of(const float *x, int64_t count, int64_t bytes) {
  float largest = 0;
  for (int64_t i = 0; i < count; i++) {
    if (!isfinite(x[i])) return NAN;
    largest = fmaxf(largest, fabsf(x[i]));
  }
  return largest / 127 < (bytes == 2 ? 128 : 1) * FLT_MIN ? 0 : largest / 127;
}

/* What a product needs to know of a block of bytes. */
static int sums_are_right(BlockRows to, const int8_t *q, int64_t place) {
  int32_t sum = 0;
  for (int64_t i = 0; i < to.block; i++) sum += q[i];
  float scale = to.scale[place];
  if (to.block == 64) return to.start[place] == -128 * sum;
  if (isnan(scale)) return isnan(to.shift[place]) && isnan(to.offset[place]);
  return to.shift[place] == -12582912.0 * scale && to.offset[place] == scale * (float)sum;
}

/* Block `b` of a row. The last byte may differ by one only where the value lies halfway between two, up to rounding. */
static int block_is_right(const float *x, int64_t count, BlockRows to, int64_t row, int64_t padded, int64_t b) {
  int64_t blocks = padded / to.block, place = row * to.bytes * blocks + b, low = (to.bytes - 1) * blocks;
  const int8_t *q = to.q + row * to.bytes * padded + b * to.block, *low_q = q + (to.bytes - 1) * padded;
  float scale = to.scale[place], expected = scale_of(x, count, to.bytes);
  int wrong = isnan(expected) ? !isnan(scale) : !(fabsf(scale - expected) <= 1e-6f * expected);
  wrong += !sums_are_right(to, q, place);
  if (to.bytes == 2) {
    wrong += !sums_are_right(to, low_q, place + low);
    wrong += !isnan(scale) && to.scale[place + low] != scale / 128;
  }
  for (int64_t i = 0; i < to.block; i++) {
    int value = to.bytes == 2 ? 128 * q[i] + low_q[i] : q[i];
    double exactly = i < count && expected > 0 ? x[i] / (double)expected * (to.bytes == 2 ? 128 : 1) : 0;
    wrong += fabs(value - exactly) > 0.5 + (to.bytes == 2 ? 1e-2 : 1e-4) || q[i] < -127;
  }
  return wrong == 0;
}

static void check_kind(const Kernels *kernels, const char *what, int64_t rows, int64_t width, int64_t block,
                       int64_t bytes, const float *x) {
  int64_t padded = round_up(width, DEPTH_STEP), blocks = padded / block, wrong = 0;
  QuantizeBlocks p = {rows, width, x, exact_blocks(rows, width, block, bytes)};
  kernels->quantize_blocks(&p, &TWO_THREADS);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t b = 0; b < blocks; b++) {
      int64_t first = b * block, count = width - first < block ? width - first : block;
      if (count < 0) count = 0;
      wrong += !block_is_right(count == 0 ? x : x + r * width + first, count, p.to, r, padded, b);
    }
  CHECK(wrong == 0, "%s %s rows %ld width %ld: %ld blocks of %ld wrong, bytes %ld", kernels->path, what, (long)rows,
        (long)width, (long)wrong, (long)block, (long)bytes);
  free_blocks(p.to);
}
static void check_rows(const Kernels *kernels, const char *what, int64_t rows, int64_t width, int64_t block,
                       const float *x) {
  for (int64_t bytes = 1; bytes <= 2; bytes++) check_kind(kernels, what, rows, width, block, bytes, x);
}

/* A value that is not finite makes the scale of its block NaN, and of no other. */
static void check_not_finite(const Kernels *kernels, float bad, int64_t width) {
  for (int64_t at = 0; at < width; at++) {
    float *x = random_floats(3 * width, 1);
    x[width + at] = bad;
    check_rows(kernels, "not finite", 3, width, at % 2 ? 64 : 32, x);
    free(x);
  }
}

static void check_path(const Kernels *kernels) {
  const int64_t widths[] = {1, 3, 15, 31, 32, 33, 63, 64, 65, 96, 127, 200, 576, 1000};
  for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
    for (int64_t block = 32; block <= 64; block += 32) {
      float *x = random_floats(7 * widths[w], 3);
      check_rows(kernels, "random", 7, widths[w], block, x);
      free(x);
    }
  float *many = random_floats(1200 * 60, 1);
  check_rows(kernels, "many", 1200, 60, 64, many);
  check_rows(kernels, "none", 0, 60, 64, many);
  free(many);
  check_not_finite(kernels, NAN, 83);
  check_not_finite(kernels, INFINITY, 83);
  check_not_finite(kernels, -INFINITY, 20);
  const float small[12] = {0, 0, 0, 0, 1e-40f, 0, -1e-37f, 0, 1e-35f, -3e-36f, 0, 1};
  check_rows(kernels, "small", 3, 4, 32, small);
  const float halves[8] = {127, -127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 0};
  const int8_t expected[8] = {127, -127, 0, 2, 2, 0, -2, 0};
  BlockRows to = exact_blocks(1, 8, 64, 1);
  kernels->quantize_blocks(&(QuantizeBlocks){1, 8, halves, to}, &SERIAL);
  CHECK(memcmp(to.q, expected, 8) == 0, "%s: halfway values do not go to the even neighbour", kernels->path);
  free_blocks(to);
}

static void bench(const Kernels *kernels) {
  int64_t rows = 512, width = 1536;
  float *x = random_floats(rows * width, 1);
  QuantizeBlocks p = {rows, width, x, exact_blocks(rows, width, 64, 1)};
  double best = 1e9;
  for (int repeat = 0; repeat < 50; repeat++) {
    double start = seconds_now();
    kernels->quantize_blocks(&p, &TWO_THREADS);
    best = fmin(best, seconds_now() - start);
  }
  printf("%s quantize blocks %ld x %ld: %.1f GB/s read\n", kernels->path, (long)rows, (long)width,
         rows * width * sizeof(float) / best / 1e9);
  free(x);
  free_blocks(p.to);
}

int main(int argc, char **argv) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  for (int k = 0; k < paths; k++)
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) bench(usable[k]);
    else check_path(usable[k]);
  return check_report("quantize-blocks");
}

/* Row quantisation against plain loops: bytes, scales, padding, and rows that are zero, tiny or not finite. */
#include <float.h>
#include "check.h"

static float scale_of(const float *x, const float *column_scale, int64_t width) {
  float largest = 0;
  for (int64_t i = 0; i < width; i++) {
    float value = fabsf(column_scale ? x[i] * column_scale[i] : x[i]);
    if (!isfinite(value)) return NAN;
    if (value > largest) largest = value;
  }
  return largest / 127 < FLT_MIN ? 0 : largest / 127;
}

/* Bytes may differ by one only where the value lies halfway between two, up to rounding. */
static int byte_is_right(uint8_t q, float value, float scale) {
  if (!(scale > 0)) return q == ZERO_POINT;
  return fabs((double)value / scale - ((int)q - ZERO_POINT)) <= 0.5 + 1e-4 && q >= 1;
}

static void check_rows(const Kernels *kernels, const char *what, int64_t rows, int64_t width, const float *x,
                       const float *column_scale, const Parallel *parallel) {
  int64_t padded = round_up(width, DEPTH_STEP), wrong_scales = 0, wrong_bytes = 0;
  uint8_t *q = exact(rows * padded);
  float *scale = exact(rows * sizeof(float));
  kernels->quantize_rows(&(QuantizeRows){rows, width, x, column_scale, q, scale}, parallel);
  for (int64_t r = 0; r < rows; r++) {
    float expected = scale_of(x + r * width, column_scale, width);
    wrong_scales += isnan(expected) ? !isnan(scale[r]) : !(fabsf(scale[r] - expected) <= 1e-6f * expected);
    for (int64_t i = 0; i < padded; i++) {
      float value = i < width ? x[r * width + i] * (column_scale ? column_scale[i] : 1) : 0;
      wrong_bytes += i < width ? !byte_is_right(q[r * padded + i], value, expected) : q[r * padded + i] != ZERO_POINT;
    }
  }
  CHECK(wrong_scales == 0 && wrong_bytes == 0, "%s %s rows %ld width %ld: %ld scales, %ld bytes wrong", kernels->path,
        what, (long)rows, (long)width, (long)wrong_scales, (long)wrong_bytes);
  free(q);
  free(scale);
}

static void check_random(const Kernels *kernels, int64_t rows, int64_t width, int with_column_scale) {
  float *x = random_floats(rows * width, 3), *column_scale = with_column_scale ? random_floats(width, 2) : NULL;
  check_rows(kernels, "random", rows, width, x, column_scale, &TWO_THREADS);
  free(x);
  free(column_scale);
}

/* A value that is not finite, anywhere in the row, makes that row's scale NaN. */
static void check_not_finite(const Kernels *kernels, float bad, int64_t width) {
  for (int64_t at = 0; at < width; at++) {
    float *x = random_floats(3 * width, 1);
    x[width + at] = bad;
    check_rows(kernels, "not finite", 3, width, x, NULL, &SERIAL);
    free(x);
  }
}

static void check_exact(const Kernels *kernels) {
  const float x[8] = {127, -127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 0};
  const uint8_t expected[8] = {255, 1, 128, 130, 130, 128, 126, 128};
  uint8_t q[64];
  float scale;
  kernels->quantize_rows(&(QuantizeRows){1, 8, x, NULL, q, &scale}, &SERIAL);
  CHECK(scale == 1 && memcmp(q, expected, 8) == 0, "%s: halfway values go to the even neighbour", kernels->path);
}

static void check_path(const Kernels *kernels) {
  const int64_t widths[] = {1, 3, 15, 16, 17, 63, 64, 65, 127, 200, 576, 1000};
  for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) check_random(kernels, 7, widths[w], w % 2);
  check_random(kernels, 0, 64, 0);
  check_random(kernels, 2, 40000, 1);
  check_random(kernels, 1200, 60, 1);
  check_not_finite(kernels, NAN, 83);
  check_not_finite(kernels, INFINITY, 83);
  check_not_finite(kernels, -INFINITY, 20);
  const float small[12] = {0, 0, 0, 0, 1e-40f, 0, -1e-37f, 0, 1e-35f, -3e-36f, 0, 1};
  check_rows(kernels, "small", 3, 4, small, NULL, &SERIAL);
  check_exact(kernels);
}

static void bench(const Kernels *kernels) {
  int64_t rows = 1024, width = 576;
  float *x = random_floats(rows * width, 1), *scale = exact(rows * sizeof(float));
  uint8_t *q = exact(rows * width);
  double best = 1e9;
  for (int repeat = 0; repeat < 50; repeat++) {
    double start = seconds_now();
    kernels->quantize_rows(&(QuantizeRows){rows, width, x, NULL, q, scale}, &TWO_THREADS);
    double taken = seconds_now() - start;
    if (taken < best) best = taken;
  }
  printf("%s quantize %ld x %ld: %.1f GB/s read\n", kernels->path, (long)rows, (long)width,
         rows * width * sizeof(float) / best / 1e9);
  free(x);
  free(scale);
  free(q);
}

int main(int argc, char **argv) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  for (int k = 0; k < paths; k++)
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) bench(usable[k]);
    else check_path(usable[k]);
  return check_report("quantize");
}

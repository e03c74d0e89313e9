/* Root-mean-square normalisation and its pullback against double precision; the fused quantisation against the separate one. */
#include "check.h"

typedef struct {
  int64_t rows, width;
} Shape;

static double inverse_of(const float *x, int64_t width, double epsilon) {
  double squares = 0;
  for (int64_t i = 0; i < width; i++) squares += (double)x[i] * x[i];
  return 1 / sqrt(squares / width + epsilon);
}

static void check_forward(const Kernels *kernels, Shape shape, int quantised) {
  int64_t rows = shape.rows, width = shape.width, padded = round_up(width, DEPTH_STEP), count = rows * width;
  float *x = random_floats(count, 3), *gain = random_floats(width, 2);
  float *normalised = exact(count * 4), *inverse = exact(rows * 4), *scale = exact(rows * 4);
  uint8_t *q = exact(rows * padded);
  RmsNorm norm = {rows, width, 1e-5f, x, gain, normalised, inverse, quantised ? q : NULL, quantised ? scale : NULL, {0}};
  kernels->rms_norm(&norm, &TWO_THREADS);
  double *expected = exact(count * 8), *expected_inverse = exact(rows * 8);
  for (int64_t row = 0; row < rows; row++) {
    expected_inverse[row] = inverse_of(x + row * width, width, 1e-5);
    for (int64_t i = 0; i < width; i++)
      expected[row * width + i] = x[row * width + i] * expected_inverse[row] * gain[i];
  }
  double error = relative_error(normalised, expected, count) + relative_error(inverse, expected_inverse, rows);
  CHECK(error < 1e-6, "%s rms_norm [%ld, %ld]: off by %g", kernels->path, (long)rows, (long)width, error);
  CHECK(!quantised || quantised_as_defined(kernels, rows, width, normalised, q, scale),
        "%s rms_norm [%ld, %ld]: wrong bytes or scales", kernels->path, (long)rows, (long)width);
  for (int64_t kind = 0; kind < 4; kind++) { /* in blocks, and nothing else asked for */
    RmsNorm alone = {.rows = rows, .width = width, .epsilon = 1e-5f, .x = x, .gain = gain};
    alone.blocks = exact_blocks(rows, width, kind % 2 ? 32 : 64, 1 + kind / 2);
    kernels->rms_norm(&alone, &TWO_THREADS);
    CHECK(blocks_as_separate(kernels, rows, width, normalised, alone.blocks),
          "%s rms_norm [%ld, %ld]: wrong blocks of %ld, bytes %ld", kernels->path, (long)rows, (long)width,
          (long)alone.blocks.block, (long)alone.blocks.bytes);
    free_blocks(alone.blocks);
  }
  free(x), free(gain), free(normalised), free(inverse), free(scale);
  free(q), free(expected), free(expected_inverse);
}

static void expect_grad(const RmsNormGrad *p, int64_t row, double *dx) {
  int64_t width = p->width;
  const float *x = p->x + row * width, *g = p->g + row * width;
  double inverse = p->inverse[row], mean = 0;
  for (int64_t i = 0; i < width; i++) mean += (double)g[i] * p->gain[i] * x[i] * inverse / width;
  for (int64_t i = 0; i < width; i++)
    dx[i] = (p->addend ? p->addend[row * width + i] : 0) +
            inverse * ((double)g[i] * p->gain[i] - x[i] * inverse * mean);
}

static void check_backward(const Kernels *kernels, Shape shape, int added) {
  int64_t rows = shape.rows, width = shape.width, count = rows * width;
  float *x = random_floats(count, 3), *gain = random_floats(width, 2), *g = random_floats(count, 1);
  float *addend = random_floats(count, 1), *inverse = exact(rows * 4), *dx = exact(count * 4);
  double *expected = exact(count * 8);
  for (int64_t row = 0; row < rows; row++) inverse[row] = (float)inverse_of(x + row * width, width, 1e-5);
  RmsNormGrad grad = {rows, width, g, x, gain, inverse, added ? addend : NULL, dx};
  kernels->rms_norm_grad(&grad, &TWO_THREADS);
  for (int64_t row = 0; row < rows; row++) expect_grad(&grad, row, expected + row * width);
  double error = relative_error(dx, expected, count), accepted = width == 1 ? 0.1 : 1e-6; /* all cancels in one column */
  CHECK(error < accepted, "%s rms_norm_grad [%ld, %ld]: off by %g", kernels->path, (long)rows, (long)width,
        error);
  free(x), free(gain), free(g), free(addend), free(inverse), free(dx), free(expected);
}

/* What is not a number in a row stays in it and is in all of it; the other row does not notice. */
static void check_not_finite(const Kernels *kernels, float bad, int64_t at) {
  enum { WIDTH = 77, PADDED = 128 };
  float x[2 * WIDTH], gain[WIDTH], normalised[2 * WIDTH], inverse[2], scale[2];
  uint8_t q[2 * PADDED];
  for (int i = 0; i < 2 * WIDTH; i++) x[i] = random_float(1), gain[i % WIDTH] = 1;
  x[at] = bad;
  RmsNorm norm = {2, WIDTH, 1e-5f, x, gain, normalised, inverse, q, scale, {0}};
  kernels->rms_norm(&norm, &SERIAL);
  CHECK(isnan(normalised[at]) && isnan(scale[0]), "%s rms_norm: loses %g at %d", kernels->path, bad, (int)at);
  CHECK(isfinite(scale[1]) && isfinite(inverse[1]), "%s rms_norm: spreads %g to other rows", kernels->path, bad);
  float dx[2 * WIDTH];
  RmsNormGrad grad = {2, WIDTH, x, normalised, gain, inverse, NULL, dx};
  kernels->rms_norm_grad(&grad, &SERIAL);
  CHECK(isnan(dx[at]), "%s rms_norm_grad: loses %g at %d", kernels->path, bad, (int)at);
}

static void check_zeros(const Kernels *kernels) {
  float x[70] = {0}, gain[70] = {0}, normalised[70], inverse[1], scale[1];
  uint8_t q[128];
  RmsNorm norm = {1, 70, 1e-5f, x, gain, normalised, inverse, q, scale, {0}};
  kernels->rms_norm(&norm, &SERIAL);
  int wrong = scale[0] != 0;
  for (int i = 0; i < 128; i++) wrong += q[i] != ZERO_POINT;
  CHECK(wrong == 0, "%s rms_norm: a row of zeros is not scale 0 and bytes %d", kernels->path, ZERO_POINT);
}

static void bench(const Kernels *kernels) {
  enum { ROWS = 1024, WIDTH = 576, REPEATS = 60 };
  float *x = random_floats(ROWS * WIDTH, 1), *gain = random_floats(WIDTH, 1), *y = random_floats(ROWS * WIDTH, 1);
  float *g = random_floats(ROWS * WIDTH, 1), inverse[ROWS], scale[ROWS];
  uint8_t *q = exact(ROWS * WIDTH);
  double best[2] = {1e9, 1e9}, bytes[2] = {ROWS * WIDTH * 9.0, ROWS * WIDTH * 16.0};
  for (int i = 0; i < REPEATS; i++) {
    RmsNorm norm = {ROWS, WIDTH, 1e-5f, x, gain, y, inverse, q, scale, {0}};
    RmsNormGrad grad = {ROWS, WIDTH, g, x, gain, inverse, g, y};
    double start = seconds_now();
    kernels->rms_norm(&norm, &TWO_THREADS);
    double middle = seconds_now();
    kernels->rms_norm_grad(&grad, &TWO_THREADS);
    best[0] = fmin(best[0], middle - start), best[1] = fmin(best[1], seconds_now() - middle);
  }
  printf("%-9s [%d, %d] two threads: rms_norm with bytes %.2f ms, %.1f GB/s; rms_norm_grad with addend %.2f ms, %.1f GB/s\n",
         kernels->path, ROWS, WIDTH, best[0] * 1e3, bytes[0] / best[0] * 1e-9, best[1] * 1e3, bytes[1] / best[1] * 1e-9);
  free(x), free(gain), free(y), free(g), free(q);
}

int main(int count, char **arguments) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  for (int path = 0; path < paths; path++) {
    if (count > 1 && strcmp(arguments[1], "--bench") == 0) {
      bench(usable[path]);
      continue;
    }
    const Shape shapes[] = {{1, 1}, {0, 5}, {3, 15}, {2, 16}, {5, 64}, {7, 65}, {40, 576}, {33, 577}, {1, 9001}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
      for (int option = 0; option < 2; option++) {
        check_forward(usable[path], shapes[i], option);
        check_backward(usable[path], shapes[i], option);
      }
    for (int i = 0; i < 12; i++) {
      Shape shape = {random_between(1, 40), random_between(2, 700)};
      check_forward(usable[path], shape, 1);
      check_backward(usable[path], shape, i % 2);
    }
    for (int64_t at = 0; at < 77; at += 19) {
      check_not_finite(usable[path], NAN, at);
      check_not_finite(usable[path], INFINITY, at);
    }
    check_zeros(usable[path]);
  }
  return check_report("norm");
}

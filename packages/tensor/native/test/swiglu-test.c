/* The gated activation, its pullback and the Hadamard matrix against double precision and explicit matrices. */
#include "check.h"

typedef struct {
  int64_t rows, width;
  int hadamard;
} Shape;

static double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }

/* Each run of 64 values of a row times the matrix, entry by entry. */
static void rotate(double *row, int64_t width) {
  for (int64_t start = 0; start < width; start += 64) {
    double in[64];
    memcpy(in, row + start, sizeof in);
    for (int i = 0; i < 64; i++) {
      double total = 0;
      for (int j = 0; j < 64; j++) total += __builtin_parity(i & j) ? -in[j] : in[j];
      row[start + i] = total / 8;
    }
  }
}

static void check_forward(const Kernels *kernels, Shape shape, int kept, int quantised) {
  int64_t rows = shape.rows, width = shape.width, count = rows * width, bytes = rows * round_up(width, DEPTH_STEP);
  float *gate = random_floats(count, 6), *up = random_floats(count, 2), *h = exact(count * 4);
  float *scale = exact(rows * 4), *other_scale = exact(rows * 4);
  uint8_t *q = exact(bytes), *other_q = exact(bytes);
  double *expected = exact(count * 8);
  for (int64_t i = 0; i < count; i++) expected[i] = gate[i] * sigmoid_of(gate[i]) * up[i];
  for (int64_t row = 0; row < rows && shape.hadamard; row++) rotate(expected + row * width, width);
  Swiglu both = {rows, width, shape.hadamard, gate, up, h, q, scale, {0}};
  kernels->swiglu(&both, &TWO_THREADS);
  double error = relative_error(h, expected, count);
  CHECK(error < 1e-6, "%s swiglu [%ld, %ld] hadamard %d: off by %g", kernels->path, (long)rows, (long)width,
        shape.hadamard, error);
  CHECK(quantised_as_defined(kernels, rows, width, h, q, scale), "%s swiglu [%ld, %ld] hadamard %d: wrong bytes or scales",
        kernels->path, (long)rows, (long)width, shape.hadamard);
  float *alone = exact(count * 4);
  Swiglu some = {rows, width, shape.hadamard, gate, up, kept ? alone : NULL, quantised ? other_q : NULL,
                 quantised ? other_scale : NULL, {0}};
  kernels->swiglu(&some, &TWO_THREADS);
  CHECK(!kept || memcmp(alone, h, count * 4) == 0, "%s swiglu: other h when bytes are not asked for", kernels->path);
  CHECK(!quantised || (memcmp(other_q, q, bytes) == 0 && memcmp(other_scale, scale, rows * 4) == 0),
        "%s swiglu: other bytes when h is not asked for", kernels->path);
  for (int64_t kind = 0; kind < 4; kind++) {
    Swiglu blocks = {.rows = rows, .width = width, .hadamard = shape.hadamard, .gate = gate, .up = up};
    blocks.blocks = exact_blocks(rows, width, kind % 2 ? 32 : 64, 1 + kind / 2);
    kernels->swiglu(&blocks, &TWO_THREADS);
    CHECK(blocks_as_separate(kernels, rows, width, h, blocks.blocks),
          "%s swiglu [%ld, %ld]: wrong blocks of %ld, bytes %ld", kernels->path, (long)rows, (long)width,
          (long)blocks.blocks.block, (long)blocks.blocks.bytes);
    free_blocks(blocks.blocks);
  }
  free(gate), free(up), free(h), free(alone), free(q), free(other_q), free(scale), free(other_scale), free(expected);
}

/* Bytes and scales of the gradients in `grad` are those of QuantizeRows with the same column scales. */
static void check_quantised_backward(const Kernels *kernels, const SwigluGrad *grad) {
  int64_t rows = grad->rows, width = grad->width, bytes = rows * round_up(width, DEPTH_STEP);
  const float *gradients[2] = {grad->d_gate, grad->d_up};
  float *columns[2], *scale[2], *expected_scale = exact(rows * 4);
  uint8_t *q[2], *expected_q = exact(bytes);
  for (int i = 0; i < 2; i++) {
    columns[i] = random_floats(width, 1);
    scale[i] = exact(rows * 4);
    q[i] = exact(bytes);
  }
  SwigluGrad both = {.rows = rows, .width = width, .hadamard = grad->hadamard, .g = grad->g, .gate = grad->gate,
                     .up = grad->up, .quantized_gate = {columns[0], q[0], scale[0]},
                     .quantized_up = {columns[1], q[1], scale[1]}};
  kernels->swiglu_grad(&both, &TWO_THREADS);
  for (int i = 0; i < 2; i++) {
    QuantizeRows separate = {rows, width, gradients[i], columns[i], expected_q, expected_scale};
    kernels->quantize_rows(&separate, &SERIAL);
    CHECK(memcmp(q[i], expected_q, bytes) == 0 && memcmp(scale[i], expected_scale, rows * 4) == 0,
          "%s swiglu_grad [%ld, %ld] hadamard %d: other bytes than QuantizeRows", kernels->path, (long)rows,
          (long)width, grad->hadamard);
    free(columns[i]), free(scale[i]), free(q[i]);
  }
  free(expected_scale), free(expected_q);
}

static void check_backward(const Kernels *kernels, Shape shape) {
  int64_t rows = shape.rows, width = shape.width, count = rows * width;
  float *gate = random_floats(count, 6), *up = random_floats(count, 2), *g = random_floats(count, 1);
  float *d_gate = exact(count * 4), *d_up = exact(count * 4);
  double *rotated = exact(count * 8), *expected_gate = exact(count * 8), *expected_up = exact(count * 8);
  for (int64_t i = 0; i < count; i++) rotated[i] = g[i];
  for (int64_t row = 0; row < rows && shape.hadamard; row++) rotate(rotated + row * width, width);
  for (int64_t i = 0; i < count; i++) {
    double share = sigmoid_of(gate[i]);
    expected_up[i] = rotated[i] * gate[i] * share;
    expected_gate[i] = rotated[i] * up[i] * share * (1 + gate[i] * (1 - share));
  }
  SwigluGrad grad = {rows, width, shape.hadamard, g, gate, up, d_gate, d_up, {0}, {0}, NULL, NULL};
  kernels->swiglu_grad(&grad, &TWO_THREADS);
  double error = relative_error(d_gate, expected_gate, count) + relative_error(d_up, expected_up, count);
  CHECK(error < 2e-6, "%s swiglu_grad [%ld, %ld] hadamard %d: off by %g", kernels->path, (long)rows, (long)width,
        shape.hadamard, error);
  check_quantised_backward(kernels, &grad);
  free(gate), free(up), free(g), free(d_gate), free(d_up), free(rotated), free(expected_gate), free(expected_up);
}

static void check_hadamard(const Kernels *kernels, Shape shape) {
  int64_t count = shape.rows * shape.width;
  float *x = random_floats(count, 1), *y = exact(count * 4);
  double *expected = exact(count * 8);
  for (int64_t i = 0; i < count; i++) expected[i] = x[i];
  for (int64_t row = 0; row < shape.rows; row++) rotate(expected + row * shape.width, shape.width);
  Hadamard product = {shape.rows, shape.width, x, y};
  kernels->hadamard(&product, &TWO_THREADS);
  double error = relative_error(y, expected, count);
  CHECK(error < 1e-6, "%s hadamard [%ld, %ld]: off by %g", kernels->path, (long)shape.rows, (long)shape.width, error);
  free(x), free(y), free(expected);
}

/* Large gates saturate, and what is not a number stays one in its row alone. */
static void check_edges(const Kernels *kernels, int hadamard) {
  enum { WIDTH = 128 };
  float gate[2 * WIDTH], up[2 * WIDTH], h[2 * WIDTH], scale[2], d_gate[2 * WIDTH], d_up[2 * WIDTH];
  uint8_t q[2 * WIDTH];
  for (int i = 0; i < 2 * WIDTH; i++) gate[i] = i % 2 ? 200 : -200, up[i] = 1;
  Swiglu forward = {2, WIDTH, 0, gate, up, h, q, scale, {0}};
  kernels->swiglu(&forward, &SERIAL);
  int wrong = 0;
  for (int i = 0; i < 2 * WIDTH; i++) wrong += fabsf(h[i] - (i % 2 ? 200 : 0)) > 1e-4f;
  CHECK(wrong == 0, "%s swiglu: does not saturate", kernels->path);
  forward.hadamard = hadamard;
  SwigluGrad backward = {2, WIDTH, hadamard, up, gate, up, d_gate, d_up, {0}, {0}, NULL, NULL};
  for (int at = 0; at < WIDTH; at += 31) {
    gate[at] = NAN;
    kernels->swiglu(&forward, &SERIAL);
    kernels->swiglu_grad(&backward, &SERIAL);
    CHECK(isnan(h[at]) && isnan(scale[0]) && isnan(d_gate[at]) && isnan(d_up[at]), "%s swiglu: loses NaN at %d",
          kernels->path, at);
    CHECK(isfinite(scale[1]), "%s swiglu: spreads NaN to other rows", kernels->path);
    gate[at] = 0;
  }
  for (int i = 0; i < 2 * WIDTH; i++) up[i] = i < WIDTH ? 0 : 1;
  kernels->swiglu(&forward, &SERIAL);
  for (int i = 0; i < WIDTH; i++) wrong += q[i] != ZERO_POINT;
  CHECK(wrong == 0 && scale[0] == 0, "%s swiglu: a row of zeros is not scale 0 and bytes %d", kernels->path, ZERO_POINT);
}

enum { ROWS = 1024, WIDTH = 1536, REPEATS = 25, COUNT = ROWS * WIDTH };

static double seconds_of(const Kernels *kernels, int what, float *const x[5], uint8_t *q, float *scale) {
  double best = 1e9;
  for (int i = 0; i < REPEATS; i++) {
    double start = seconds_now();
    if (what < 2)
      kernels->swiglu(&(Swiglu){ROWS, WIDTH, what, x[0], x[1], what ? NULL : x[2], q, scale, {0}}, &TWO_THREADS);
    else if (what < 4)
      kernels->swiglu_grad(&(SwigluGrad){ROWS, WIDTH, what - 2, x[2], x[0], x[1], x[3], x[4], {0}, {0}, NULL, NULL},
                           &TWO_THREADS);
    else
      kernels->hadamard(&(Hadamard){ROWS, WIDTH, x[2], x[3]}, &TWO_THREADS);
    best = fmin(best, seconds_now() - start);
  }
  return best;
}

static void bench(const Kernels *kernels) {
  static const char *const names[] = {"h and bytes", "hadamard and bytes", "grad", "grad with hadamard", "hadamard"};
  static const double bytes_per_value[] = {13, 9, 20, 20, 8};
  float *x[5], scale[ROWS];
  for (int i = 0; i < 5; i++) x[i] = random_floats(COUNT, 2);
  uint8_t *q = exact(COUNT);
  printf("%-9s [%d, %d] two threads:", kernels->path, ROWS, WIDTH);
  for (int what = 0; what < 5; what++) {
    double seconds = seconds_of(kernels, what, x, q, scale);
    printf(" %s %.2f ms %.1f GB/s;", names[what], seconds * 1e3, bytes_per_value[what] * COUNT / seconds * 1e-9);
  }
  printf("\n");
  for (int i = 0; i < 5; i++) free(x[i]);
  free(q);
}

static void check_shape(const Kernels *kernels, Shape shape) {
  for (int option = 1; option < 4; option++) check_forward(kernels, shape, option & 1, option & 2);
  check_backward(kernels, shape);
  if (shape.hadamard) check_hadamard(kernels, shape);
}

int main(int count, char **arguments) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  for (int path = 0; path < paths; path++) {
    if (count > 1 && strcmp(arguments[1], "--bench") == 0) {
      bench(usable[path]);
      continue;
    }
    const Shape shapes[] = {{1, 1, 0}, {0, 64, 1}, {3, 15, 0}, {2, 63, 0}, {5, 64, 1}, {7, 65, 0}, {9, 1536, 1}, {1, 8256, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(usable[path], shapes[i]);
    for (int i = 0; i < 8; i++) {
      check_shape(usable[path], (Shape){random_between(1, 40), random_between(1, 600), 0});
      check_shape(usable[path], (Shape){random_between(1, 20), 64 * random_between(1, 9), 1});
    }
    check_edges(usable[path], 0);
    check_edges(usable[path], 1);
  }
  return check_report("swiglu");
}

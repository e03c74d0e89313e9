/* Cross entropy and its pullback against double precision, on rows shorter and longer than a piece of work. The pullback
   is as exact as a float32 of the size of the logits, which is what log_sum_exp is. */
#include "check.h"

typedef struct {
  int64_t rows, classes;
} Shape;

static double log_sum_exp_of(const float *x, int64_t count) {
  double largest = -INFINITY, total = 0;
  for (int64_t i = 0; i < count; i++) largest = fmax(largest, x[i]);
  for (int64_t i = 0; i < count; i++) total += exp(x[i] - largest);
  return largest + log(total);
}

static void check_shape(const Kernels *kernels, Shape shape, float spread) {
  int64_t rows = shape.rows, classes = shape.classes, count = rows * classes;
  float *logits = random_floats(count, spread), *g = random_floats(rows, 1);
  float *loss = exact(rows * 4), *log_sum_exp = exact(rows * 4), *d_logits = exact(count * 4);
  int64_t *labels = exact(rows * 8);
  double *expected_sum = exact(rows * 8), *expected_loss = exact(rows * 8), *expected = exact(count * 8);
  for (int64_t row = 0; row < rows; row++) {
    const float *x = logits + row * classes;
    int64_t label = labels[row] = random_between(0, classes - 1);
    if (row % 3 == 1) g[row] = 0;
    expected_sum[row] = log_sum_exp_of(x, classes);
    expected_loss[row] = expected_sum[row] - x[label];
    for (int64_t i = 0; i < classes; i++)
      expected[row * classes + i] = g[row] * (exp(x[i] - expected_sum[row]) - (i == label));
  }
  kernels->cross_entropy(&(CrossEntropy){rows, classes, logits, labels, loss, log_sum_exp}, &TWO_THREADS);
  double error = classes == 1 ? 0 : relative_error(loss, expected_loss, rows);
  error += relative_error(log_sum_exp, expected_sum, rows);
  CHECK(error < 1e-6, "%s cross_entropy [%ld, %ld] to %g: off by %g", kernels->path, (long)rows, (long)classes, spread,
        error);
  kernels->cross_entropy_grad(&(CrossEntropyGrad){rows, classes, g, logits, log_sum_exp, labels, d_logits}, &TWO_THREADS);
  error = relative_error(d_logits, expected, count);
  CHECK(error < 1e-5 + 1e-7 * spread, "%s cross_entropy_grad [%ld, %ld] to %g: off by %g", kernels->path, (long)rows, (long)classes, spread,
        error);
  kernels->cross_entropy_grad(&(CrossEntropyGrad){rows, classes, g, logits, log_sum_exp, labels, logits}, &TWO_THREADS);
  CHECK(memcmp(logits, d_logits, count * 4) == 0, "%s cross_entropy_grad [%ld, %ld]: differs in place", kernels->path,
        (long)rows, (long)classes);
  free(logits), free(g), free(loss), free(log_sum_exp), free(d_logits), free(labels);
  free(expected_sum), free(expected_loss), free(expected);
}

enum { CLASSES = 17000 };

static float loss_of(const Kernels *kernels, const float *logits, int64_t label, float *log_sum_exp) {
  float loss;
  kernels->cross_entropy(&(CrossEntropy){1, CLASSES, logits, &label, &loss, log_sum_exp}, &SERIAL);
  return loss;
}

static void check_edges(const Kernels *kernels) {
  float *logits = random_floats(CLASSES, 1), log_sum_exp, g = 0;
  int64_t label = 3;
  for (int64_t i = 100; i < CLASSES; i++) logits[i] = -INFINITY;
  float expected = (float)log_sum_exp_of(logits, CLASSES);
  float loss = loss_of(kernels, logits, label, &log_sum_exp);
  CHECK(fabsf(log_sum_exp - expected) < 1e-5f && fabsf(loss - (expected - logits[3])) < 1e-5f,
        "%s cross_entropy: classes at minus infinity count", kernels->path);
  CHECK(loss_of(kernels, logits, 200, &log_sum_exp) == INFINITY, "%s cross_entropy: a class at minus infinity is possible",
        kernels->path);
  CHECK(isnan(loss_of(kernels, logits, -1, &log_sum_exp)) && isnan(loss_of(kernels, logits, CLASSES, &log_sum_exp)),
        "%s cross_entropy: a label that is no class has a loss", kernels->path);
  for (int64_t at = 0; at < CLASSES; at += 1999) {
    float kept = logits[at];
    logits[at] = at % 2 ? NAN : __builtin_nanf("2"); /* any NaN, whatever its low bits */
    CHECK(isnan(loss_of(kernels, logits, label, &log_sum_exp)) && isnan(log_sum_exp), "%s cross_entropy: loses NaN at %d",
          kernels->path, (int)at);
    float *d_logits = exact(CLASSES * 4);
    kernels->cross_entropy_grad(&(CrossEntropyGrad){1, CLASSES, &g, logits, &log_sum_exp, &label, d_logits}, &SERIAL);
    CHECK(isnan(d_logits[at]), "%s cross_entropy_grad: loses NaN at %d where g is 0", kernels->path, (int)at);
    free(d_logits);
    logits[at] = kept;
  }
  free(logits);
}

static void bench(const Kernels *kernels) {
  enum { ROWS = 128, VOCABULARY = 49152, REPEATS = 8 };
  const double bytes = 4.0 * ROWS * VOCABULARY;
  float *logits = random_floats(ROWS * VOCABULARY, 8), *d_logits = random_floats(ROWS * VOCABULARY, 1);
  float loss[ROWS], log_sum_exp[ROWS], g[ROWS];
  int64_t labels[ROWS];
  for (int i = 0; i < ROWS; i++) labels[i] = i, g[i] = 1;
  double forward = 1e9, backward = 1e9, in_place = 1e9;
  for (int i = 0; i < REPEATS; i++) {
    double start = seconds_now();
    kernels->cross_entropy(&(CrossEntropy){ROWS, VOCABULARY, logits, labels, loss, log_sum_exp}, &TWO_THREADS);
    double next = seconds_now();
    forward = fmin(forward, next - start);
    CrossEntropyGrad grad = {ROWS, VOCABULARY, g, logits, log_sum_exp, labels, d_logits};
    kernels->cross_entropy_grad(&grad, &TWO_THREADS);
    backward = fmin(backward, seconds_now() - next);
    grad.logits = d_logits, next = seconds_now();
    kernels->cross_entropy_grad(&grad, &TWO_THREADS);
    in_place = fmin(in_place, seconds_now() - next);
  }
  printf("%-9s [%d, %d] two threads: cross_entropy %.2f ms, %.1f GB/s; grad %.2f ms, %.1f GB/s; in place %.2f ms, %.1f GB/s\n",
         kernels->path, ROWS, VOCABULARY, forward * 1e3, bytes / forward * 1e-9, backward * 1e3,
         2 * bytes / backward * 1e-9, in_place * 1e3, 2 * bytes / in_place * 1e-9);
  free(logits), free(d_logits);
}

int main(int count, char **arguments) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  for (int path = 0; path < paths; path++) {
    if (count > 1 && strcmp(arguments[1], "--bench") == 0) {
      bench(usable[path]);
      continue;
    }
    const Shape shapes[] = {{0, 7}, {1, 1}, {5, 2}, {3, 17}, {1, 49152}, {3, 16385}, {2, 33333}, {130, 500}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(usable[path], shapes[i], 8);
    for (int i = 0; i < 8; i++) check_shape(usable[path], (Shape){random_between(1, 30), random_between(2, 3000)}, 3);
    check_shape(usable[path], (Shape){4, 5000}, 1e4f);
    check_edges(usable[path]);
  }
  return check_report("cross-entropy");
}

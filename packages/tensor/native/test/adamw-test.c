/* The update, the sum of gradients and the sum of squares against double precision, apart from and in place. */
#include "check.h"

enum { ARRAYS = 4, LONGEST = 20000 };
/* Steps that differ enough to notice one in the place of another. */
static const AdamW RATES = {.beta1 = 0.9f, .complement1 = 0.1f, .beta2 = 0.98f, .complement2 = 0.02f, .epsilon = 1e-3f,
                            .scale = 0.7f, .step = 0.05f, .inverse_deviation = 1.3f, .decay = 0.97f, .is_good = 1};

static void expected_update(const AdamW *p, int64_t i, double new[3]) {
  double g = (double)p->g[i] * p->scale;
  new[0] = p->mean[i] * (double)p->beta1 + g * p->complement1;
  new[1] = p->variance[i] * (double)p->beta2 + g * g * p->complement2;
  new[2] = p->parameter[i] * (double)p->decay - new[0] / (sqrt(new[1]) * p->inverse_deviation + p->epsilon) * p->step;
}

static void check_adamw(const Kernels *kernels, int64_t count, int is_good) {
  static const char *const names[] = {"mean", "variance", "parameter"};
  float *x[ARRAYS], *out[3];
  double *expected[3];
  for (int i = 0; i < ARRAYS; i++) x[i] = random_floats(count, 1);
  for (int i = 0; i < 3; i++) out[i] = exact(count * 4), expected[i] = exact(count * 8);
  for (int64_t i = 0; i < count; i++) x[2][i] = fabsf(x[2][i]);
  AdamW p = RATES;
  p.count = count, p.is_good = is_good;
  p.g = x[0], p.mean = x[1], p.variance = x[2], p.parameter = x[3];
  p.new_mean = out[0], p.new_variance = out[1], p.new_parameter = out[2];
  for (int64_t i = 0; i < count; i++) {
    double new[3] = {x[1][i], x[2][i], x[3][i]};
    if (is_good) expected_update(&p, i, new);
    for (int k = 0; k < 3; k++) expected[k][i] = new[k];
  }
  kernels->adamw(&p, &TWO_THREADS);
  for (int k = 0; k < 3; k++) {
    double error = relative_error(out[k], expected[k], count);
    CHECK(error < (is_good ? 5e-7 : 1e-30), "%s adamw %ld: %s off by %g", kernels->path, (long)count, names[k], error);
  }
  p.new_mean = x[1], p.new_variance = x[2], p.new_parameter = x[3];
  kernels->adamw(&p, &SERIAL);
  for (int k = 0; k < 3; k++)
    CHECK(memcmp(x[k + 1], out[k], count * 4) == 0, "%s adamw %ld: another %s in place", kernels->path, (long)count, names[k]);
  for (int i = 0; i < ARRAYS; i++) free(x[i]);
  for (int k = 0; k < 3; k++) free(out[k]), free(expected[k]);
}

static void check_not_finite(const Kernels *kernels) {
  float values[4] = {1, 2, 3, 4}, old[4] = {1, 2, 3, 4}, g[4] = {NAN, INFINITY, -INFINITY, 1};
  AdamW p = RATES;
  p.count = 4, p.is_good = 0, p.scale = NAN;
  p.g = g, p.mean = p.variance = p.parameter = values;
  p.new_mean = p.new_variance = p.new_parameter = values;
  kernels->adamw(&p, &TWO_THREADS);
  CHECK(memcmp(values, old, sizeof old) == 0, "%s adamw: an update that is not good reaches the values", kernels->path);
}

static void check_accumulate(const Kernels *kernels, int64_t count, int is_first) {
  float *sum = random_floats(count, 1), *part = random_floats(count, 1), *total = exact(count * 4);
  double *expected = exact(count * 8);
  if (is_first && count > 0) sum[count / 2] = NAN; /* what was there before a step's first part does not matter */
  for (int64_t i = 0; i < count; i++) expected[i] = (is_first ? 0 : sum[i]) + part[i] / 3.0;
  Accumulate p = {count, 3, is_first, sum, part, total};
  kernels->accumulate(&p, &TWO_THREADS);
  double error = relative_error(total, expected, count);
  CHECK(error < 1e-7, "%s accumulate %ld: off by %g", kernels->path, (long)count, error);
  p.total = sum;
  kernels->accumulate(&p, &SERIAL);
  CHECK(memcmp(sum, total, count * 4) == 0, "%s accumulate %ld: another sum in place", kernels->path, (long)count);
  free(sum), free(part), free(total), free(expected);
}

static void check_squares(const Kernels *kernels, int64_t count) {
  float *x = random_floats(count, 1), together, alone;
  double expected = 0;
  for (int64_t i = 0; i < count; i++) expected += (double)x[i] * x[i];
  kernels->sum_of_squares(&(SumOfSquares){count, x, &together}, &TWO_THREADS);
  kernels->sum_of_squares(&(SumOfSquares){count, x, &alone}, &SERIAL);
  CHECK(fabs(together - expected) <= 1e-6 * expected, "%s squares %ld: %g, not %g", kernels->path, (long)count,
        together, expected);
  CHECK(memcmp(&together, &alone, 4) == 0, "%s squares %ld: depends on the threads", kernels->path, (long)count);
  if (count > 0) {
    x[count - 1] = NAN;
    kernels->sum_of_squares(&(SumOfSquares){count, x, &together}, &TWO_THREADS);
    CHECK(isnan(together), "%s squares %ld: loses a NaN", kernels->path, (long)count);
  }
  free(x);
}

static void bench(const Kernels *kernels) {
  enum { COUNT = 28311552 / 4, REPEATS = 5 };
  float *x[ARRAYS], total;
  for (int i = 0; i < ARRAYS; i++) x[i] = random_floats(COUNT, 1);
  AdamW p = RATES;
  p.count = COUNT, p.g = x[0], p.mean = p.new_mean = x[1], p.variance = p.new_variance = x[2];
  p.parameter = p.new_parameter = x[3];
  double update = 1e9, squares = 1e9;
  for (int i = 0; i < REPEATS; i++) {
    double start = seconds_now();
    kernels->adamw(&p, &TWO_THREADS);
    double middle = seconds_now();
    kernels->sum_of_squares(&(SumOfSquares){COUNT, x[0], &total}, &TWO_THREADS);
    update = fmin(update, middle - start), squares = fmin(squares, seconds_now() - middle);
  }
  printf("%-8s update %6.2f ms %5.1f GB/s, squares %6.2f ms %5.1f GB/s\n", kernels->path, update * 1e3,
         28e-9 * COUNT / update, squares * 1e3, 4e-9 * COUNT / squares);
  for (int i = 0; i < ARRAYS; i++) free(x[i]);
}

int main(int argc, char **argv) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
    for (int path = 0; path < paths; path++) bench(usable[path]);
    return 0;
  }
  static const int64_t counts[] = {0, 1, 3, 15, 17, 64, 8192, 8193, LONGEST};
  for (int path = 0; path < paths; path++) {
    for (size_t i = 0; i < sizeof counts / sizeof *counts + 4; i++) {
      int64_t count = i < sizeof counts / sizeof *counts ? counts[i] : random_between(1, LONGEST);
      for (int flag = 0; flag < 2; flag++) check_adamw(usable[path], count, flag), check_accumulate(usable[path], count, flag);
      check_squares(usable[path], count);
    }
    check_not_finite(usable[path]);
  }
  return check_report("adamw");
}

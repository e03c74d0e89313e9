/* Products with packed int8 weights against plain loops, in both directions, and a short timing with --bench. */
#include "check.h"

typedef struct {
  int64_t rows, in, out;
  int8_t *weights, *packed; /* [out, in], and as the kernels want it */
  uint8_t *q;               /* random bytes, [rows, padded depth] */
  float *row_scale, *column_scale, *addend, *y;
  int32_t *sums;
} Example;

static int8_t *pack(const int8_t *weights, int64_t out, int64_t in) {
  int64_t padded_in = round_up(in, DEPTH_STEP), bytes = round_up(out, 4 * COLUMN_STEP) * padded_in;
  int8_t *packed = memset(exact(bytes), 0, bytes);
  for (int64_t o = 0; o < out; o++)
    for (int64_t i = 0; i < in; i++)
      packed[o / 16 * padded_in * 16 + i / 4 * 64 + o % 16 * 4 + i % 4] = weights[o * in + i];
  return packed;
}

static Example example(int64_t rows, int64_t in, int64_t out, int backward, int with_addend) {
  int64_t depth = backward ? out : in, width = backward ? in : out, padded = round_up(depth, DEPTH_STEP);
  Example e = {.rows = rows, .in = in, .out = out};
  e.weights = exact(out * in);
  for (int64_t i = 0; i < out * in; i++) e.weights[i] = (int8_t)random_between(-127, 127);
  e.packed = pack(e.weights, out, in);
  e.q = exact(rows * padded);
  /* Now and then the extremes, which 16-bit saturation would show. */
  int64_t low = rows % 5 == 0 ? 255 : 0;
  for (int64_t i = 0; i < rows * padded; i++)
    e.q[i] = i % padded < depth ? (uint8_t)random_between(low, 255) : ZERO_POINT;
  e.row_scale = random_floats(rows, 1e-2f);
  e.column_scale = backward ? NULL : random_floats(width, 1e-2f);
  e.addend = with_addend ? random_floats(rows * width, 1) : NULL;
  e.y = random_floats(rows * width, 1);
  e.sums = memset(exact(width * 4), 0, width * 4);
  for (int64_t o = 0; o < out; o++)
    for (int64_t i = 0; i < in; i++) e.sums[backward ? i : o] += e.weights[o * in + i];
  return e;
}

static void release(Example *e) {
  void *all[] = {e->weights, e->packed, e->q, e->row_scale, e->column_scale, e->addend, e->y, e->sums};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static double expected_at(const Example *e, int backward, int64_t r, int64_t c) {
  int64_t depth = backward ? e->out : e->in, width = backward ? e->in : e->out, padded = round_up(depth, DEPTH_STEP);
  int64_t total = 0;
  for (int64_t k = 0; k < depth; k++) {
    int8_t w = backward ? e->weights[k * e->in + c] : e->weights[c * e->in + k];
    total += (e->q[r * padded + k] - ZERO_POINT) * w;
  }
  double value = (double)total * e->row_scale[r] * (backward ? 1.0 : e->column_scale[c]);
  return e->addend ? value + e->addend[r * width + c] : value;
}

static Int8Product product_of(const Example *e) {
  return (Int8Product){e->rows, e->in, e->out, e->q, e->row_scale, e->packed, e->column_scale, e->sums, e->addend, e->y};
}

static void check_shape(const Kernels *kernels, int64_t rows, int64_t in, int64_t out, int backward, int addend) {
  Example e = example(rows, in, out, backward, addend != 0);
  int64_t count = rows * (backward ? in : out), width = backward ? in : out;
  double *expected = exact(count * sizeof(double));
  for (int64_t i = 0; i < count; i++) expected[i] = expected_at(&e, backward, i / width, i % width);
  Int8Product p = product_of(&e);
  if (addend == 2) p.y = e.addend; /* in place */
  (backward ? kernels->int8_backward : kernels->int8_forward)(&p, &SERIAL);
  double worst = 0;
  for (int64_t i = 0; i < count; i++) {
    double error = fabs(p.y[i] - expected[i]) / (fabs(expected[i]) + 1e-2);
    if (!(error <= worst)) worst = error;
  }
  CHECK(worst < 1e-5, "%s %s rows %ld in %ld out %ld addend %d: error %g", kernels->path,
        backward ? "backward" : "forward", (long)rows, (long)in, (long)out, addend, worst);
  free(expected);
  release(&e);
}

static void check_not_a_number(const Kernels *kernels) {
  Example e = example(3, 70, 20, 0, 0);
  e.row_scale[1] = NAN;
  Int8Product p = product_of(&e);
  kernels->int8_forward(&p, &SERIAL);
  int right = 1;
  for (int64_t i = 0; i < 60; i++) right &= isnan(e.y[i]) == (i / 20 == 1);
  CHECK(right, "%s: a row whose scale is NaN is NaN, and no other", kernels->path);
  release(&e);
}

static void check_path(const Kernels *kernels) {
  const int64_t shapes[][3] = {{1, 1, 1},     {1, 64, 64},    {2, 65, 63},     {6, 576, 192},   {7, 100, 130},
                               {17, 1088, 5}, {33, 5, 1090},  {40, 128, 128},  {31, 513, 66},   {300, 70, 65},
                               {64, 192, 64}, {520, 64, 200}, {48, 1025, 33}, {1, 65, 1300},  {2, 1300, 65}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (int backward = 0; backward < 2; backward++)
      check_shape(kernels, shapes[s][0], shapes[s][1], shapes[s][2], backward, s % 3);
  for (int i = 0; i < 40; i++)
    check_shape(kernels, random_between(1, 80), random_between(1, 260), random_between(1, 260), i % 2, i / 2 % 3);
  check_not_a_number(kernels);
}

static double time_product(const Kernels *kernels, const Int8Product *p, int backward, const Parallel *parallel) {
  double best = 1e9, spent = 0;
  for (int repeat = 0; repeat < 40 && (spent < 0.4 || repeat < 3); repeat++) {
    double start = seconds_now();
    (backward ? kernels->int8_backward : kernels->int8_forward)(p, parallel);
    double taken = seconds_now() - start;
    spent += taken;
    if (taken < best) best = taken;
  }
  return 2.0 * p->rows * p->in * p->out / best / 1e9;
}

/* Times two threads; with further arguments: path rows in out. */
static void bench(int argc, char **argv) {
  const int64_t shapes[][3] = {{1024, 576, 576},  {1024, 576, 192},   {1024, 576, 1536},  {1024, 1536, 576},
                               {512, 576, 49152}, {256, 5120, 5120},  {256, 5120, 13824}, {1, 5120, 13824},
                               {1, 576, 49152},   {16, 576, 1536},    {32, 5120, 5120}};
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  for (int k = 0; k < paths; k++) {
    if (strcmp(usable[k]->path, argc > 2 ? argv[2] : "avx512") != 0) continue;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      Int8Product sizes = {shapes[s][0], shapes[s][1], shapes[s][2], 0, 0, 0, 0, 0, 0, 0};
      if (argc > 5) sizes = (Int8Product){atol(argv[3]), atol(argv[4]), atol(argv[5]), 0, 0, 0, 0, 0, 0, 0};
      printf("%s rows %5ld in %5ld out %5ld:", usable[k]->path, (long)sizes.rows, (long)sizes.in, (long)sizes.out);
      for (int backward = 0; backward < 2; backward++) {
        Example e = example(sizes.rows, sizes.in, sizes.out, backward, 0);
        Int8Product p = product_of(&e);
        printf("  %s %.0f GOP/s (one thread %.0f)", backward ? "backward" : "forward",
               time_product(usable[k], &p, backward, &TWO_THREADS), time_product(usable[k], &p, backward, &SERIAL));
        release(&e);
      }
      printf("\n");
      if (argc > 5) break;
    }
  }
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) return bench(argc, argv), 0;
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  for (int k = 0; k < paths; k++) check_path(usable[k]);
  return check_report("linear-int8");
}

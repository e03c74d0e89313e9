/* The thin products against double precision, on every path and shape, with one thread and two. */
#include "check.h"

typedef struct {
  int64_t rows, wide, thin;
  int is_transposed;
} Shape;

/* A product as its definition: y [y_rows, y_columns] = sum over `depth` of a(i, k) * b(k, j). */
typedef struct {
  const char *name;
  int64_t y_rows, y_columns, depth;
  const float *a, *b;
  int64_t a_row, a_step, b_step, b_column; /* strides */
} Definition;

static double *expect(const Definition *d, double *size) {
  double *y = exact(d->y_rows * d->y_columns * sizeof(double));
  for (int64_t i = 0; i < d->y_rows; i++)
    for (int64_t j = 0; j < d->y_columns; j++) {
      double total = 0;
      for (int64_t k = 0; k < d->depth; k++)
        total += (double)d->a[i * d->a_row + k * d->a_step] * d->b[k * d->b_step + j * d->b_column];
      y[i * d->y_columns + j] = total;
      *size += total * total;
    }
  return y;
}

/* What a kernel made of the operands with one thread and with two. */
static void compare(const Kernels *kernels, Shape shape, const Definition *d, const float *one,
                    const float *two) {
  int64_t count = d->y_rows * d->y_columns;
  double size = 0, *expected = expect(d, &size);
  double error = relative_error(one, expected, count);
  CHECK(error < 1e-6, "%s %s [%ld, %ld] of %ld%s: off by %g", kernels->path, d->name, (long)shape.rows,
        (long)shape.wide, (long)shape.thin, shape.is_transposed ? " transposed" : "", error);
  CHECK(memcmp(one, two, count * sizeof(float)) == 0, "%s %s [%ld, %ld] of %ld: depends on the threads",
        kernels->path, d->name, (long)shape.rows, (long)shape.wide, (long)shape.thin);
  free(expected);
}

static float *filled(int64_t count) {
  float *x = exact(count * sizeof(float));
  for (int64_t i = 0; i < count; i++) x[i] = NAN;
  return x;
}

typedef void (*RunProduct)(const ThinProduct *, const Parallel *);

static void check_product(const Kernels *kernels, Shape s, int is_expand) {
  int64_t x_width = is_expand ? s.thin : s.wide, y_width = is_expand ? s.wide : s.thin;
  float *x = random_floats(s.rows * x_width, 1), *factor = random_floats(s.thin * s.wide, 1);
  float *one = filled(s.rows * y_width), *two = filled(s.rows * y_width);
  RunProduct run = is_expand ? kernels->thin_expand : kernels->thin_reduce;
  run(&(ThinProduct){s.rows, s.wide, s.thin, s.is_transposed, x, factor, one}, &SERIAL);
  run(&(ThinProduct){s.rows, s.wide, s.thin, s.is_transposed, x, factor, two}, &TWO_THREADS);
  int64_t along_wide = s.is_transposed ? s.thin : 1, along_thin = s.is_transposed ? 1 : s.wide;
  Definition definition = {"thin_reduce", s.rows, y_width, x_width, x,
                           factor, x_width, 1, along_wide, along_thin};
  if (is_expand)
    definition.name = "thin_expand", definition.b_step = along_thin, definition.b_column = along_wide;
  compare(kernels, s, &definition, one, two);
  free(x), free(factor), free(one), free(two);
}

static void check_outer(const Kernels *kernels, Shape s) {
  float *thin = random_floats(s.rows * s.thin, 1), *wide = random_floats(s.rows * s.wide, 1);
  float *one = filled(s.thin * s.wide), *two = filled(s.thin * s.wide);
  kernels->thin_outer(&(ThinOuter){s.rows, s.wide, s.thin, s.is_transposed, thin, wide, one}, &SERIAL);
  kernels->thin_outer(&(ThinOuter){s.rows, s.wide, s.thin, s.is_transposed, thin, wide, two}, &TWO_THREADS);
  Definition definition = {"thin_outer", s.thin, s.wide, s.rows, thin, wide, 1, s.thin, s.wide, 1};
  if (s.is_transposed)
    definition = (Definition){"thin_outer", s.wide, s.thin, s.rows, wide, thin, 1, s.wide, s.thin, 1};
  compare(kernels, s, &definition, one, two);
  free(thin), free(wide), free(one), free(two);
}

static void check_shape(const Kernels *kernels, Shape shape) {
  for (shape.is_transposed = 0; shape.is_transposed < 2; shape.is_transposed++) {
    check_product(kernels, shape, 0);
    check_product(kernels, shape, 1);
    check_outer(kernels, shape);
  }
}

/* Infinity times zero is not a number where it takes part, in no sum is it left out; others do not notice. */
static void check_not_finite(const Kernels *kernels) {
  enum { ROWS = 5, WIDE = 71, THIN = 3, BAD = 2 };
  float wide[ROWS * WIDE] = {0}, thin[ROWS * THIN] = {0}, factor[THIN * WIDE] = {0};
  float reduced[ROWS * THIN], expanded[ROWS * WIDE], outer[THIN * WIDE];
  wide[BAD * WIDE + WIDE - 1] = thin[BAD * THIN + 1] = INFINITY;
  kernels->thin_reduce(&(ThinProduct){ROWS, WIDE, THIN, 0, wide, factor, reduced}, &SERIAL);
  kernels->thin_expand(&(ThinProduct){ROWS, WIDE, THIN, 1, thin, factor, expanded}, &SERIAL);
  kernels->thin_outer(&(ThinOuter){ROWS, WIDE, THIN, 0, factor, wide, outer}, &SERIAL);
  int wrong = 0;
  for (int i = 0; i < ROWS * THIN; i++) wrong += isnan(reduced[i]) != (i / THIN == BAD);
  for (int i = 0; i < ROWS * WIDE; i++) wrong += isnan(expanded[i]) != (i / WIDE == BAD);
  for (int i = 0; i < THIN * WIDE; i++) wrong += isnan(outer[i]) != (i % WIDE == WIDE - 1);
  CHECK(wrong == 0, "%s thin products: %d values that are not finite where they should be, or the reverse",
        kernels->path, wrong);
}

typedef struct {
  const Kernels *kernels;
  ThinProduct reduce, expand;
  ThinOuter outer;
} Bench;
static void bench_reduce(const Bench *b) { b->kernels->thin_reduce(&b->reduce, &TWO_THREADS); }
static void bench_expand(const Bench *b) { b->kernels->thin_expand(&b->expand, &TWO_THREADS); }
static void bench_outer(const Bench *b) { b->kernels->thin_outer(&b->outer, &TWO_THREADS); }

static double best_time(const Bench *b, void (*run)(const Bench *)) {
  double best = 1e9;
  for (int i = 0; i < 40; i++) {
    double start = seconds_now();
    run(b);
    best = fmin(best, seconds_now() - start);
  }
  return best;
}

static void bench(const Kernels *kernels, Shape s) {
  float *wide = random_floats(s.rows * s.wide, 1), *thin = random_floats(s.rows * s.thin, 1);
  float *factor = random_floats(s.thin * s.wide, 1), *y = random_floats(s.rows * s.wide, 1);
  for (s.is_transposed = 0; s.is_transposed < 2; s.is_transposed++) {
    Bench b = {kernels,
               {s.rows, s.wide, s.thin, s.is_transposed, wide, factor, y},
               {s.rows, s.wide, s.thin, s.is_transposed, thin, factor, y},
               {s.rows, s.wide, s.thin, s.is_transposed, thin, wide, y}};
    printf("%-9s [%ld, %ld] of %ld, transposed %d, two threads:", kernels->path, (long)s.rows, (long)s.wide,
           (long)s.thin, s.is_transposed);
    printf(" reduce %.0f us, expand %.0f us, outer %.0f us\n", best_time(&b, bench_reduce) * 1e6,
           best_time(&b, bench_expand) * 1e6, best_time(&b, bench_outer) * 1e6);
  }
  free(wide), free(thin), free(factor), free(y);
}

int main(int count, char **arguments) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  const Shape benches[] = {{1024, 576, 8, 0}, {1024, 1536, 8, 0}, {1024, 192, 8, 0}, {1024, 576, 16, 0}};
  if (count > 1 && strcmp(arguments[1], "--bench") == 0) {
    for (int path = 0; path < paths; path++)
      for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) bench(usable[path], benches[i]);
    return 0;
  }
  const Shape shapes[] = {{0, 64, 4, 0},     {1, 1, 1, 0},    {7, 576, 8, 0},  {1023, 192, 8, 0},
                          {130, 1088, 9, 0}, {3, 2049, 3, 0}, {64, 65, 40, 0}, {500, 385, 5, 0},
                          {33, 13, 32, 0}};
  for (int path = 0; path < paths; path++) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(usable[path], shapes[i]);
    for (int64_t thin = 1; thin <= 32; thin++)
      check_shape(usable[path], (Shape){random_between(1, 150), random_between(1, 300), thin, 0});
    check_not_finite(usable[path]);
  }
  return check_report("thin");
}

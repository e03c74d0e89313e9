/* Products of two float32 matrices in all four orientations against double precision. */
#include "check.h"

typedef struct {
  int64_t rows, depth, columns;
} Shape;

static void check_shape(const Kernels *kernels, Shape shape, int transpose_a, int transpose_b) {
  int64_t rows = shape.rows, depth = shape.depth, columns = shape.columns;
  float *a = random_floats(rows * depth, 1), *b = random_floats(depth * columns, 1);
  float *y = random_floats(rows * columns, 9), *again = random_floats(rows * columns, 9);
  double *expected = exact(rows * columns * 8);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++) {
      double total = 0;
      for (int64_t d = 0; d < depth; d++)
        total += (double)a[transpose_a ? d * rows + r : r * depth + d] * b[transpose_b ? c * depth + d : d * columns + c];
      expected[r * columns + c] = total;
    }
  Product p = {rows, depth, columns, transpose_a, transpose_b, a, b, y};
  kernels->product(&p, &TWO_THREADS);
  double error = relative_error(y, expected, rows * columns);
  CHECK(error < 2e-6, "%s product %ldx%ldx%ld transposed %d %d: off by %g", kernels->path, (long)rows, (long)depth,
        (long)columns, transpose_a, transpose_b, error);
  p.y = again;
  kernels->product(&p, &SERIAL);
  CHECK(memcmp(y, again, rows * columns * 4) == 0, "%s product: depends on the threads", kernels->path);
  free(a), free(b), free(y), free(again), free(expected);
}

static void check_not_finite(const Kernels *kernels) {
  enum { SIZE = 40 };
  float *a = random_floats(SIZE * SIZE, 1), *b = random_floats(SIZE * SIZE, 1), y[SIZE * SIZE];
  a[3 * SIZE + 5] = NAN;
  kernels->product(&(Product){SIZE, SIZE, SIZE, 0, 0, a, b, y}, &SERIAL);
  int wrong = 0;
  for (int i = 0; i < SIZE * SIZE; i++) wrong += isnan(y[i]) != (i / SIZE == 3);
  CHECK(wrong == 0, "%s product: NaN is not in its row, or not in it alone", kernels->path);
  free(a), free(b);
}

static void bench(const Kernels *kernels, Shape shape) {
  float *a = random_floats(shape.rows * shape.depth, 1), *b = random_floats(shape.depth * shape.columns, 1);
  float *y = random_floats(shape.rows * shape.columns, 1);
  printf("%-8s %5ld x %5ld x %5ld:", kernels->path, (long)shape.rows, (long)shape.depth, (long)shape.columns);
  for (int orientation = 0; orientation < 3; orientation++) {
    Product p = {shape.rows, shape.depth, shape.columns, orientation == 2, orientation == 1, a, b, y};
    double best = 1e9;
    for (int i = 0; i < 4; i++) {
      clock_t start = clock();
      kernels->product(&p, &SERIAL);
      best = fmin(best, (double)(clock() - start) / CLOCKS_PER_SEC);
    }
    printf(" %s %5.0f", orientation == 0 ? "NN" : orientation == 1 ? "NT" : "TN",
           2e-9 * shape.rows * shape.depth * shape.columns / best);
  }
  printf(" GFLOP/s of one thread\n");
  free(a), free(b), free(y);
}

int main(int argc, char **argv) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
    static const Shape shapes[] = {{512, 576, 1536}, {512, 1536, 576}, {1536, 512, 576}, {512, 576, 576}, {511, 576, 49152},
                                   {511, 49152, 576}, {49152, 511, 576}};
    for (int path = 1; path < paths; path++)
      for (int i = 0; i < (path == 2 ? 7 : 2); i++) bench(usable[path], shapes[i]);
    return 0;
  }
  static const Shape edges[] = {{0, 5, 5}, {5, 0, 5}, {5, 5, 0}, {1, 1, 1}, {13, 641, 33}, {1021, 3, 5}, {7, 1921, 40}, {25, 20, 600}};
  for (int path = 0; path < paths; path++) {
    for (int orientation = 0; orientation < 4; orientation++) {
      for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) check_shape(usable[path], edges[i], orientation & 1, orientation >> 1);
      for (int i = 0; i < 6; i++) {
        Shape shape = {random_between(1, 90), random_between(1, 400), random_between(1, 90)};
        check_shape(usable[path], shape, orientation & 1, orientation >> 1);
      }
    }
    check_not_finite(usable[path]);
  }
  return check_report("product");
}

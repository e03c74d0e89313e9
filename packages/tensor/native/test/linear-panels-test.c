/* Tests of linear-panels.c: every path, all formats and directions, against
 * plain double loops. */
#include "check.h"

#define FORMATS 3
static const char *const names[FORMATS] = {"bfloat16", "int4", "int16"};

typedef struct {
  int64_t out, in; /* padded to 32 */
  uint16_t *bfloat16, *scales, *minimums;
  uint8_t *int4;
  int16_t *int16;
  float *row_scales;
  double *values[FORMATS]; /* [out, in] of each */
} Weights;

static double float16_value(uint16_t half) {
  int exponent = half >> 10 & 31, fraction = half & 1023;
  double size =
      exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
  return half & 0x8000 ? -size : size;
}
static uint16_t random_float16(
    void) { /* of either sign: from 1/64 to 1/8, at times subnormal or zero */
  int64_t size = random_bits() % 16 ? random_between(9 * 1024, 12 * 1024)
                                    : random_between(0, 1023);
  return (uint16_t)((random_bits() & 0x8000) | size);
}
static double bfloat16_value(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
static uint16_t random_bfloat16(void) {
  float value = random_float(1);
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return (uint16_t)(bits >> 16);
}

/* Of two kinds: any 256 are no longer than INTEGER_LENGTH. */
static int16_t random_int16(int64_t o, int64_t i) {
  if (o % 3 > 0) return (int16_t)random_between(-2875, 2875);
  return (int16_t)(i % 256 == o % 256 ? random_between(-32767, 32767) : 0);
}

/* Packed weights of all formats; what lies beyond `out` and `in` is zero, as
 * packing leaves it. */
static Weights random_weights(int64_t out, int64_t in) {
  Weights w = {.out = round_up(out, 32), .in = round_up(in, 32)};
  int64_t count = w.out * w.in;
  w.bfloat16 = calloc(count, 2);
  w.int4 = calloc(count / 2, 1);
  w.scales = calloc(count / 32, 2);
  w.minimums = calloc(count / 32, 2);
  w.int16 = calloc(count, 2);
  w.row_scales = calloc(w.out, sizeof(float));
  for (int format = 0; format < FORMATS; format++)
    w.values[format] = calloc(count, sizeof(double));
  for (int64_t o = 0; o < out; o++) {
    w.row_scales[o] = ldexpf(1 + random_float(0.5f), -12);
    for (int64_t i = 0; i < in; i++) {
      uint16_t half = random_bfloat16();
      int64_t at =
          ((o / 16 * (w.in / 2) + i / 2) * 16 + o % 16) * 2 + i % 2;
      w.bfloat16[at] = half;
      w.int16[at] = random_int16(o, i);
      w.values[WEIGHTS_BFLOAT16][o * w.in + i] = bfloat16_value(half);
      w.values[WEIGHTS_INT16][o * w.in + i] =
          (double)w.row_scales[o] * w.int16[at];
    }
  }
  for (int64_t o = 0; o < out; o++)
    for (int64_t i = 0; i < w.in; i++) {
      int64_t block = (o / 16 * (w.in / 32) + i / 32) * 16 + o % 16;
      if (i % 32 == 0) {
        w.scales[block] = random_float16();
        w.minimums[block] = random_float16();
      }
      int nibble = random_bits() & 15;
      w.int4[((o / 16 * (w.in / 8) + i / 8) * 16 + o % 16) * 4 + i % 4] |=
          nibble << (i % 8 < 4 ? 0 : 4);
      w.values[WEIGHTS_INT4][o * w.in + i] = float16_value(w.scales[block]) * nibble +
                                  float16_value(w.minimums[block]);
    }
  return w;
}
static void free_weights(Weights w) {
  free(w.bfloat16);
  free(w.int4);
  free(w.scales);
  free(w.minimums);
  free(w.int16);
  free(w.row_scales);
  for (int format = 0; format < FORMATS; format++)
    free(w.values[format]);
}

static double *plain_product(const PanelProduct *p, const double *w,
                             int64_t w_stride, int backward) {
  int64_t depth = backward ? p->out : p->in,
          columns = backward ? p->in : p->out;
  double *y = calloc(p->rows * columns + 1, sizeof(double));
  for (int64_t r = 0; r < p->rows; r++)
    for (int64_t d = 0; d < depth; d++)
      for (int64_t c = 0; c < columns; c++)
        y[r * columns + c] +=
            p->x[r * depth + d] *
            (backward ? w[d * w_stride + c] : w[c * w_stride + d]);
  return y;
}

/* How far a path's products may be off. */
static double rounding(const Kernels *kernels, WeightFormat format) {
  const int is_amx = strcmp(kernels->path, "amx") == 0;
  if (!is_amx && strcmp(kernels->path, "avx512") != 0)
    return 4e-6; /* sums may be all of one sign */
  if (format == WEIGHTS_INT16 || (format == WEIGHTS_BFLOAT16 && !is_amx))
    return 4e-4; /* 16-bit integers */
  return 4e-3;
}

/* addend: 0 none, 1 another array, 2 y itself */
static void check_product(const Kernels *kernels, PanelProduct p,
                          const double *expected, int backward, int addend,
                          const Parallel *parallel) {
  int64_t count = p.rows * (backward ? p.in : p.out);
  float *other = random_floats(count, 1), *y = exact(count * sizeof(float));
  double *sum = calloc(count + 1, sizeof(double));
  for (int64_t i = 0; i < count; i++) {
    sum[i] = expected[i] + (addend ? other[i] : 0);
    y[i] = addend == 2 ? other[i] : NAN;
  }
  p.addend = addend == 2 ? y : addend == 1 ? other : NULL;
  p.y = y;
  (backward ? kernels->panel_backward : kernels->panel_forward)(&p, parallel);
  double error = relative_error(y, sum, count),
         bound = rounding(kernels, p.format);
  CHECK(error <= bound,
        "%s %s %s: rows %ld in %ld out %ld addend %d: relative error %g",
        kernels->path, names[p.format], backward ? "backward" : "forward", (long)p.rows, (long)p.in,
        (long)p.out, addend, error);
  free(other);
  free(y);
  free(sum);
}

static PanelProduct product_of(Weights w, WeightFormat format, int64_t rows,
                               int64_t in, int64_t out, const float *x) {
  PanelProduct p = {.rows = rows, .in = in, .out = out, .format = format, .x = x};
  switch (format) {
  case WEIGHTS_BFLOAT16:
    p.packed = w.bfloat16;
    break;
  case WEIGHTS_INT16:
    p.packed = w.int16;
    p.row_scales = w.row_scales;
    break;
  default:
    p.packed = w.int4;
    p.scales = w.scales;
    p.minimums = w.minimums;
  }
  return p;
}

static void check_shape(int64_t rows, int64_t in, int64_t out) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  Weights w = random_weights(out, in);
  for (int format = 0; format < FORMATS; format++) {
    if (format == WEIGHTS_INT4 && in % 32 != 0)
      continue;
    for (int backward = 0; backward < 2; backward++) {
      float *x = random_floats(rows * (backward ? out : in), 1);
      PanelProduct p = product_of(w, format, rows, in, out, x);
      double *expected = plain_product(&p, w.values[format], w.in, backward);
      for (int path = 0; path < paths; path++)
        check_product(usable[path], p, expected, backward, random_between(0, 2),
                      random_bits() % 2 ? &SERIAL : &TWO_THREADS);
      free(x);
      free(expected);
    }
  }
  free_weights(w);
}

/* The largest sums that integers may have: all of one sign, or one alone. */
static void check_largest(void) {
  enum { ROWS = 3, IN = 512, OUT = 64 };
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  Weights w = random_weights(OUT, IN);
  float *x = random_floats(ROWS * IN, 1);
  for (int64_t o = 0; o < OUT; o++)
    for (int64_t i = 0; i < IN; i++) {
      int16_t value = o % 2 ? 2875 : i % 256 == 7 ? -32767 : 0;
      w.int16[((o / 16 * (IN / 2) + i / 2) * 16 + o % 16) * 2 + i % 2] = value;
      w.values[WEIGHTS_INT16][o * IN + i] = (double)w.row_scales[o] * value;
    }
  for (int64_t i = 0; i < IN; i++) {
    x[i] = 3e20f;
    x[IN + i] = i % 256 == 7 ? -1e-15f : 0;
    x[2 * IN + i] = i % 256 == 7 ? 1 : -1e-5f;
  }
  for (int path = 0; path < paths; path++)
    for (int64_t row = 0; row < ROWS; row++) {
      PanelProduct p = product_of(w, WEIGHTS_INT16, 1, IN, OUT, x + row * IN);
      double *expected = plain_product(&p, w.values[WEIGHTS_INT16], IN, 0);
      check_product(usable[path], p, expected, 0, 0, &SERIAL);
      free(expected);
    }
  free(x);
  free_weights(w);
}

/* Where integers are multiplied as they lie, a row's result is the same to the
 * bit whatever rows are beside it. */
static void check_company(int64_t in, int64_t out) {
  enum { ROWS = 41 };
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  Weights w = random_weights(out, in);
  float *x = random_floats(ROWS * in, 1), *addend = random_floats(ROWS * out, 1),
        *together = exact(ROWS * out * sizeof(float)),
        *alone = exact(out * sizeof(float));
  for (int path = 2; path < paths; path++) {
    PanelProduct p = product_of(w, WEIGHTS_INT16, ROWS, in, out, x);
    p.addend = addend;
    p.y = together;
    usable[path]->panel_forward(&p, &TWO_THREADS);
    int64_t others = 0;
    for (int64_t row = 0; row < ROWS; row++) {
      PanelProduct one = p;
      one.rows = 1, one.x += row * in, one.addend += row * out, one.y = alone;
      usable[path]->panel_forward(&one, &SERIAL);
      others += memcmp(alone, together + row * out, out * sizeof(float)) != 0;
    }
    CHECK(others == 0, "%s: %ld of %d rows of %ld by %ld differ alone",
          usable[path]->path, (long)others, ROWS, (long)in, (long)out);
  }
  free(x);
  free(addend);
  free(together);
  free(alone);
  free_weights(w);
}

/* The best of a few runs on two threads. */
static void time_product(const Kernels *kernels, PanelProduct p, int backward) {
  double best = 1e9, stop = seconds_now() + 0.4;
  do {
    double start = seconds_now();
    (backward ? kernels->panel_backward : kernels->panel_forward)(&p,
                                                                  &TWO_THREADS);
    best = fmin(best, seconds_now() - start);
  } while (seconds_now() < stop);
  double bytes = p.format == WEIGHTS_INT4 ? 0.625 : 2;
  printf("%-8s %-8s %-8s rows %4ld in %5ld out %5ld: %8.3f ms %7.1f GFLOP/s "
         "%5.1f GB/s of weights\n",
         kernels->path, names[p.format], backward ? "backward" : "forward", (long)p.rows, (long)p.in,
         (long)p.out, best * 1e3, 2e-9 * p.rows * p.in * p.out / best,
         bytes * 1e-9 * p.in * p.out / best);
}

/* Timed are the paths named on the command line, or avx512. */
static void time_shape(const char *path, int64_t rows, int64_t in,
                       int64_t out) {
  const Kernels *usable[4];
  int64_t count = round_up(out, 32) * round_up(in, 32);
  void *packed = malloc(count * 2);
  uint16_t *scales = malloc(count / 16), *minimums = malloc(count / 16);
  float *row_scales = calloc(round_up(out, 32), sizeof(float));
  for (int64_t i = 0; i < count; i++)
    ((uint16_t *)packed)[i] = 0x3c00 + random_bits() % 256;
  for (int64_t i = 0; i < count / 32; i++)
    scales[i] = minimums[i] = 0x2c00 + random_bits() % 256;
  float *x = random_floats(rows * (in > out ? in : out), 1),
        *y = random_floats(rows * (in > out ? in : out), 1);
  for (int i = usable_kernels(usable) - 1; i >= 0; i--)
    if (strcmp(path, usable[i]->path) == 0)
      for (int format = 0; format < FORMATS; format++)
        for (int backward = 0; backward < 2; backward++)
          time_product(usable[i],
                       (PanelProduct){rows, in, out, format, x, packed, scales,
                                      minimums, row_scales, NULL, y},
                       backward);
  free(packed);
  free(scales);
  free(minimums);
  free(row_scales);
  free(x);
  free(y);
}

int main(int count, char **arguments) {
  if (count > 1 && strcmp(arguments[1], "--bench") == 0) {
    const char *path = count > 2 ? arguments[2] : "avx512";
    const int64_t shapes[][3] = {{1024, 576, 1536},  {256, 5120, 5120},
                                 {256, 5120, 13824}, {1, 5120, 13824},
                                 {4, 5120, 5120},    {16, 5120, 5120}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
      time_shape(path, shapes[i][0], shapes[i][1], shapes[i][2]);
    return 0;
  }
  const int64_t shapes[][3] = {
      {1, 32, 32},    {0, 32, 32},   {1, 1, 1},      {2, 64, 40},
      {3, 96, 33},    {4, 31, 70},   {5, 288, 16},   {7, 33, 257},
      {12, 320, 300}, {13, 17, 289}, {17, 64, 96},   {33, 96, 97},
      {40, 160, 15},  {513, 32, 33}, {1, 576, 130},  {2100, 32, 16},
      {9, 1056, 40},  {9, 64, 1100}, {26, 1056, 40}, {27, 33, 1100}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    check_shape(shapes[i][0], shapes[i][1], shapes[i][2]);
  for (int i = 0; i < 24; i++)
    check_shape(random_between(1, 30),
                random_between(1, 10) * (i % 2 ? 32 : 11),
                random_between(1, 200));
  check_largest();
  check_company(576, 200);
  check_company(70, 33);
  return check_report("linear-panels");
}

/* Products of rows in blocks against plain loops, and the law that a row does not depend on its neighbours; a short timing
   with --bench. */
#include "check.h"

typedef struct {
  BlockProduct product;
  void *packed[MAX_BLOCK_WEIGHTS];
  float *column_scale[MAX_BLOCK_WEIGHTS], *addend, *y[MAX_BLOCK_WEIGHTS];
  uint16_t *scales[MAX_BLOCK_WEIGHTS], *minimums[MAX_BLOCK_WEIGHTS];
  BlockRows rows;
} Example;

static int64_t block_of(WeightFormat format) { return format == WEIGHTS_INT8 ? 64 : 32; }

static double float16_value(uint16_t half) {
  int exponent = half >> 10 & 31, fraction = half & 1023;
  double size = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
  return half & 0x8000 ? -size : size;
}
/* Of either sign: from 1/64 to 1/8, at times subnormal or zero. */
static uint16_t random_float16(void) {
  int64_t size = random_bits() % 16 ? random_between(9 * 1024, 12 * 1024) : random_between(0, 1023);
  return (uint16_t)((random_bits() & 0x8000) | size);
}

/* Rows of random bytes, now and then the extremes, which 16-bit saturation would show. */
static BlockRows random_rows(int64_t rows, int64_t in, int64_t block, int64_t bytes) {
  BlockRows to = exact_blocks(rows, in, block, bytes);
  int64_t padded = round_up(in, DEPTH_STEP), blocks = padded / block;
  for (int64_t b = 0; b < rows * bytes * blocks; b++) {
    to.scale[b] = (float)random_between(-65536, 65536) / (1 << 23); /* so short that its product with ROUNDER is exact */
    int32_t sum = 0;
    int is_extreme = random_bits() % 5 == 0;
    for (int64_t i = 0; i < block; i++) {
      int inside = b % blocks * block + i < in;
      int8_t value = is_extreme ? (random_bits() % 8 ? 127 : -127) : (int8_t)random_between(-127, 127);
      to.q[b * block + i] = inside ? value : 0;
      sum += to.q[b * block + i];
    }
    if (block == 64) to.start[b] = -128 * sum;
    else to.shift[b] = to.scale[b] * -12582912.0f, to.offset[b] = to.scale[b] * (float)sum;
  }
  return to;
}

static void add_int8_weight(Example *e, int i, int64_t out) {
  int64_t in = e->product.in, padded = round_up(in, DEPTH_STEP), bytes = round_up(out, 64) * padded;
  int8_t *packed = memset(exact(bytes), 0, bytes);
  for (int64_t o = 0; o < out; o++)
    for (int64_t k = 0; k < in; k++)
      packed[o / 16 * padded * 16 + k / 4 * 64 + o % 16 * 4 + k % 4] =
          (int8_t)(random_bits() % 4 == 0 ? -128 : random_between(-127, 127));
  e->packed[i] = packed;
  e->column_scale[i] = random_floats(out, 1e-2f);
}

static void add_int4_weight(Example *e, int i, int64_t out) {
  int64_t count = round_up(out, 32) * e->product.in;
  uint8_t *packed = e->packed[i] = exact(count / 2);
  for (int64_t byte = 0; byte < count / 2; byte++) packed[byte] = (uint8_t)random_bits();
  e->scales[i] = exact(count / 32 * 2);
  e->minimums[i] = exact(count / 32 * 2);
  for (int64_t b = 0; b < count / 32; b++) e->scales[i][b] = random_float16(), e->minimums[i][b] = random_float16();
}

static Example example(WeightFormat format, int64_t bytes, int64_t rows, int64_t in, int count, const int64_t *outs,
                       int with_addend) {
  Example e = {.product = {.format = format, .rows = rows, .in = in, .count = count}};
  e.product.x = e.rows = random_rows(rows, in, block_of(format), bytes);
  for (int i = 0; i < count; i++) {
    if (format == WEIGHTS_INT8) add_int8_weight(&e, i, outs[i]);
    else add_int4_weight(&e, i, outs[i]);
    e.y[i] = random_floats(rows * outs[i], 1);
    e.product.weights[i] = (BlockWeights){outs[i], e.packed[i], e.column_scale[i], e.scales[i], e.minimums[i], NULL, e.y[i]};
  }
  if (with_addend) e.product.weights[0].addend = e.addend = random_floats(rows * outs[0], 1);
  return e;
}

static void release(Example *e) {
  for (int i = 0; i < e->product.count; i++) {
    free(e->packed[i]), free(e->column_scale[i]), free(e->scales[i]), free(e->minimums[i]), free(e->y[i]);
  }
  free(e->addend);
  free_blocks(e->rows);
}

static double weight_at(const Example *e, int i, int64_t o, int64_t k) {
  int64_t in = e->product.in, padded = round_up(in, DEPTH_STEP);
  if (e->product.format == WEIGHTS_INT8)
    return ((const int8_t *)e->packed[i])[o / 16 * padded * 16 + k / 4 * 64 + o % 16 * 4 + k % 4] *
           (double)e->column_scale[i][o];
  uint8_t byte = ((const uint8_t *)e->packed[i])[o / 16 * in * 8 + k / 8 * 64 + o % 16 * 4 + k % 4];
  int64_t block = (o / 16 * (in / 32) + k / 32) * 16 + o % 16;
  return float16_value(e->scales[i][block]) * (k % 8 < 4 ? byte & 15 : byte >> 4) + float16_value(e->minimums[i][block]);
}

static double expected_at(const Example *e, int i, int64_t r, int64_t o) {
  int64_t in = e->product.in, padded = round_up(in, DEPTH_STEP), block = block_of(e->product.format);
  double total = e->product.weights[i].addend ? e->product.weights[i].addend[r * e->product.weights[i].out + o] : 0;
  for (int64_t row = r * e->rows.bytes; row < (r + 1) * e->rows.bytes; row++)
    for (int64_t k = 0; k < in; k++)
      total += e->rows.q[row * padded + k] * (double)e->rows.scale[(row * padded + k) / block] * weight_at(e, i, o, k);
  return total;
}

static BlockRows row_of(BlockRows rows, int64_t row, int64_t padded) {
  int64_t place = row * rows.bytes * (padded / rows.block);
  rows.q += row * rows.bytes * padded;
  rows.scale += place;
  if (rows.block == 64) rows.start += place;
  else rows.shift += place, rows.offset += place;
  return rows;
}

/* Each row computed alone, with one weight after the other, is the same to the bit. */
static void check_alone(const Kernels *kernels, const Example *e) {
  const BlockProduct *p = &e->product;
  int64_t padded = round_up(p->in, DEPTH_STEP), wrong = 0;
  for (int i = 0; i < p->count; i++)
    for (int64_t r = 0; r < p->rows; r += p->rows > 40 ? 29 : 1) {
      int64_t out = p->weights[i].out;
      float *y = exact(out * sizeof(float));
      BlockProduct alone = {p->format, 1, p->in, row_of(p->x, r, padded), 1, {p->weights[i]}};
      alone.weights[0].y = y;
      if (alone.weights[0].addend != NULL) alone.weights[0].addend += r * out;
      kernels->block_product(&alone, &SERIAL);
      wrong += memcmp(y, e->y[i] + r * out, out * sizeof(float)) != 0;
      free(y);
    }
  CHECK(wrong == 0, "%s rows %ld in %ld: %ld rows are others when alone", kernels->path, (long)p->rows, (long)p->in,
        (long)wrong);
}

static void check_shape(const Kernels *kernels, WeightFormat format, int64_t bytes, int64_t rows, int64_t in, int count,
                        const int64_t *outs, int with_addend) {
  Example e = example(format, bytes, rows, in, count, outs, with_addend);
  kernels->block_product(&e.product, &TWO_THREADS);
  for (int i = 0; i < count; i++) {
    double *expected = exact(rows * outs[i] * sizeof(double));
    for (int64_t at = 0; at < rows * outs[i]; at++) expected[at] = expected_at(&e, i, at / outs[i], at % outs[i]);
    double error = relative_error(e.y[i], expected, rows * outs[i]);
    CHECK(error < 1e-6, "%s %s bytes %ld rows %ld in %ld out %ld, weight %d of %d, addend %d: off by %g", kernels->path,
          format == WEIGHTS_INT8 ? "int8" : "int4", (long)bytes, (long)rows, (long)in, (long)outs[i], i, count,
          with_addend, error);
    free(expected);
  }
  check_alone(kernels, &e);
  if (with_addend) { /* in place */
    float *y = e.product.weights[0].y;
    e.product.weights[0].y = e.addend;
    kernels->block_product(&e.product, &SERIAL);
    CHECK(memcmp(y, e.addend, rows * outs[0] * sizeof(float)) == 0, "%s: another sum in place", kernels->path);
  }
  release(&e);
}

static void check_not_a_number(const Kernels *kernels, WeightFormat format) {
  Example e = example(format, 1, 3, 96, 1, (int64_t[]){20}, 0);
  e.rows.scale[128 / block_of(format)] = NAN; /* the first block of row 1 */
  kernels->block_product(&e.product, &SERIAL);
  int right = 1;
  for (int64_t i = 0; i < 60; i++) right &= isnan(e.y[0][i]) == (i / 20 == 1);
  CHECK(right, "%s: a row with a scale that is NaN is NaN, and no other", kernels->path);
  release(&e);
}

static void check_path(const Kernels *kernels) {
  const int64_t shapes[][3] = {{1, 32, 1},    {0, 64, 64},   {2, 64, 63},  {6, 576, 192}, {7, 96, 130},  {12, 1088, 5},
                               {13, 32, 290}, {40, 128, 96}, {31, 512, 66}, {25, 96, 33},  {150, 64, 200}, {1, 64, 1300},
                               {300, 4096, 16}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (int format = WEIGHTS_INT4; format <= WEIGHTS_INT8; format++)
      for (int bytes = 1; bytes <= 2; bytes++)
        check_shape(kernels, format, bytes, shapes[s][0], shapes[s][1], 1, &shapes[s][2], s % 2);
  for (int i = 0; i < 30; i++) {
    int64_t outs[] = {random_between(1, 200), random_between(1, 100), random_between(1, 300)};
    WeightFormat format = i % 2 ? WEIGHTS_INT4 : WEIGHTS_INT8;
    int64_t in = i % 2 ? 32 * random_between(1, 12) : random_between(1, 400);
    check_shape(kernels, format, 1 + i / 2 % 2, random_between(1, 40), in, 1 + i % 3, outs, i % 3 == 0 && i % 4 < 2);
  }
  check_not_a_number(kernels, WEIGHTS_INT4);
  check_not_a_number(kernels, WEIGHTS_INT8);
}

static double seconds_of(const Kernels *kernels, const BlockProduct *p) {
  double best = 1e9, stop = seconds_now() + 0.4;
  do {
    double start = seconds_now();
    kernels->block_product(p, &TWO_THREADS);
    best = fmin(best, seconds_now() - start);
  } while (seconds_now() < stop);
  return best;
}

/* Times two threads; with further arguments: path rows in out bytes. */
static void bench(int argc, char **argv) {
  const int64_t shapes[][3] = {{1, 576, 1536},   {1, 576, 49152},  {1, 5120, 5120},   {8, 576, 49152}, {32, 576, 49152},
                               {512, 576, 1536}, {512, 1536, 576}, {512, 5120, 5120}};
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  for (int k = 0; k < paths; k++) {
    if (strcmp(usable[k]->path, argc > 2 ? argv[2] : "avx512") != 0) continue;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      int64_t rows = argc > 5 ? atol(argv[3]) : shapes[s][0], in = argc > 5 ? atol(argv[4]) : shapes[s][1];
      int64_t out = argc > 5 ? atol(argv[5]) : shapes[s][2];
      printf("%s rows %4ld in %5ld out %5ld:", usable[k]->path, (long)rows, (long)in, (long)out);
      for (int format = WEIGHTS_INT4; format <= WEIGHTS_INT8; format++) {
        Example e = example(format, argc > 6 ? atol(argv[6]) : 1, rows, in, 1, &out, 0);
        double seconds = seconds_of(usable[k], &e.product), bytes = in * out * (format == WEIGHTS_INT8 ? 1 : 0.625);
        printf("  %s %8.1f us %5.1f GB/s of weights %5.0f GOP/s", format == WEIGHTS_INT8 ? "int8" : "int4", seconds * 1e6,
               bytes / seconds / 1e9, 2.0 * rows * in * out / seconds / 1e9);
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
  return check_report("linear-blocks");
}

/* The gated activation of two int8 products against the kernels it is made of, to the bit; and its pullback from 16 bits. */
#include "check.h"

typedef struct {
  int64_t rows, in, out;
  int hadamard;
} Shape;

/* A product without y; freed by release. */
static Int8Product random_product(Shape shape, const uint8_t *q, const float *row_scale) {
  int64_t padded_in = round_up(shape.in, DEPTH_STEP), padded_out = round_up(shape.out, DEPTH_STEP);
  int8_t *packed = memset(exact(padded_out * padded_in), 0, padded_out * padded_in);
  int32_t *sums = memset(exact(padded_out * 4), 0, padded_out * 4);
  for (int64_t o = 0; o < shape.out; o++)
    for (int64_t i = 0; i < shape.in; i++) {
      int8_t weight = (int8_t)random_between(-127, 127);
      packed[o / 16 * padded_in * 16 + i / 4 * 64 + o % 16 * 4 + i % 4] = weight;
      sums[o] += weight;
    }
  float *column_scale = random_floats(shape.out, 1e-2f);
  return (Int8Product){shape.rows, shape.in, shape.out, q, row_scale, packed, column_scale, sums, NULL, NULL};
}
static void release(Int8Product p) { free((void *)p.packed), free((void *)p.column_scale), free((void *)p.sums); }

static uint16_t rounded(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if (value != value) return (uint16_t)(bits >> 16 | 64);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static int are_rounded(const float *values, const uint16_t *kept, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (rounded(values[i]) != kept[i]) return 0;
  return 1;
}

static void check_forward(const Kernels *kernels, Shape shape, int with_nan) {
  int64_t count = shape.rows * shape.out, bytes = shape.rows * round_up(shape.in, DEPTH_STEP);
  uint8_t *q = exact(bytes);
  for (int64_t i = 0; i < bytes; i++) q[i] = (uint8_t)random_bits();
  float *row_scale = random_floats(shape.rows, 1e-3f);
  if (with_nan) row_scale[shape.rows / 2] = NAN;
  Int8Product gate = random_product(shape, q, row_scale), up = random_product(shape, q, row_scale);
  Int8Swiglu both = {gate, up, shape.hadamard, exact(count * 2), exact(count * 2), exact_blocks(shape.rows, shape.out, 64, 1)};
  kernels->int8_swiglu(&both, &TWO_THREADS);
  float *h = exact(count * 4);
  gate.y = exact(count * 4), up.y = exact(count * 4);
  kernels->int8_forward(&gate, &SERIAL);
  kernels->int8_forward(&up, &SERIAL);
  Swiglu apart = {.rows = shape.rows, .width = shape.out, .hadamard = shape.hadamard, .gate = gate.y, .up = up.y, .h = h};
  kernels->swiglu(&apart, &SERIAL);
  CHECK(blocks_as_separate(kernels, shape.rows, shape.out, h, both.blocks), "%s int8_swiglu [%ld, %ld -> %ld]: other blocks",
        kernels->path, (long)shape.rows, (long)shape.in, (long)shape.out);
  CHECK(are_rounded(gate.y, both.kept_gate, count) && are_rounded(up.y, both.kept_up, count),
        "%s int8_swiglu [%ld, %ld -> %ld]: keeps something else", kernels->path, (long)shape.rows, (long)shape.in,
        (long)shape.out);
  free_blocks(both.blocks), free(both.kept_gate), free(both.kept_up), free(gate.y), free(up.y), free(h);
  release(gate), release(up), free(q), free(row_scale);
}

/* From kept rows come the bytes that the same values give in float32. */
static void check_pullback(const Kernels *kernels, Shape shape) {
  int64_t count = shape.rows * shape.out, bytes = shape.rows * round_up(shape.out, DEPTH_STEP);
  float *g = random_floats(count, 1), *columns = random_floats(shape.out, 1), *wide[2], *scale[4];
  uint16_t *kept[2];
  uint8_t *q[4];
  for (int i = 0; i < 2; i++) {
    wide[i] = random_floats(count, 3);
    kept[i] = exact(count * 2);
    for (int64_t j = 0; j < count; j++) {
      kept[i][j] = rounded(wide[i][j]);
      uint32_t bits = (uint32_t)kept[i][j] << 16;
      memcpy(wide[i] + j, &bits, 4);
    }
  }
  for (int i = 0; i < 4; i++) q[i] = exact(bytes), scale[i] = exact(shape.rows * 4);
  SwigluGrad from_wide = {.rows = shape.rows, .width = shape.out, .hadamard = shape.hadamard, .g = g, .gate = wide[0],
                          .up = wide[1], .quantized_gate = {columns, q[0], scale[0]},
                          .quantized_up = {columns, q[1], scale[1]}};
  SwigluGrad from_kept = {.rows = shape.rows, .width = shape.out, .hadamard = shape.hadamard, .g = g,
                          .quantized_gate = {columns, q[2], scale[2]}, .quantized_up = {columns, q[3], scale[3]},
                          .kept_gate = kept[0], .kept_up = kept[1]};
  kernels->swiglu_grad(&from_wide, &TWO_THREADS);
  kernels->swiglu_grad(&from_kept, &TWO_THREADS);
  for (int i = 0; i < 2; i++)
    CHECK(memcmp(q[i], q[i + 2], bytes) == 0 && memcmp(scale[i], scale[i + 2], shape.rows * 4) == 0,
          "%s swiglu_grad [%ld, %ld]: other bytes from 16 bits", kernels->path, (long)shape.rows, (long)shape.out);
  for (int i = 0; i < 2; i++) free(wide[i]), free(kept[i]);
  for (int i = 0; i < 4; i++) free(q[i]), free(scale[i]);
  free(g), free(columns);
}

int main(void) {
  const Shape shapes[] = {{1, 64, 64, 1}, {7, 100, 128, 1}, {13, 64, 70, 0}, {300, 65, 192, 1}, {5, 1200, 33, 0}, {520, 64, 130, 0}};
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  for (int k = 0; k < paths; k++)
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      check_forward(usable[k], shapes[s], s % 2);
      check_pullback(usable[k], shapes[s]);
    }
  return check_report("int8-swiglu");
}

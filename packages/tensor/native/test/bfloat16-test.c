/* Rounding to bfloat16 and back, against the bits of single values, for any length. */
#include "check.h"

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* The nearest value of 16 bits, the even one of two; what is not a number stays so. */
static int is_rounded(float value, uint16_t narrow) {
  uint32_t bits = bits_of(value), down = bits & 0xffff0000, up = down + 0x10000, rest = bits & 0xffff;
  if (isnan(value)) return (narrow & 0x7f80) == 0x7f80 && (narrow & 0x7f) != 0;
  if (rest == 0x8000) return narrow == (down >> 16 & 1 ? up : down) >> 16;
  return narrow == (rest > 0x8000 ? up : down) >> 16;
}

static void check_length(const Kernels *kernels, int64_t count) {
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, -NAN, 3.4e38f, 1e-40f};
  float *wide = exact(count * sizeof(float)), *again = exact(count * sizeof(float));
  uint16_t *narrow = exact(count * sizeof(uint16_t));
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits = i % 3 == 0 ? random_bits() << 15 : random_bits(); /* every third lies on or between two values */
    memcpy(wide + i, &bits, sizeof bits);
    if (i % 17 == 5) wide[i] = special[i / 17 % 8];
  }
  kernels->round_to_bfloat16(&(Bfloat16Cast){count, wide, narrow}, &TWO_THREADS);
  kernels->widen_bfloat16(&(Bfloat16Cast){count, again, narrow}, &TWO_THREADS);
  int64_t wrong = 0, other = 0;
  for (int64_t i = 0; i < count; i++) {
    wrong += !is_rounded(wide[i], narrow[i]);
    other += bits_of(again[i]) != (uint32_t)narrow[i] << 16;
  }
  CHECK(wrong == 0 && other == 0, "%s, %ld values: %ld rounded wrong, %ld widened wrong", kernels->path, (long)count,
        (long)wrong, (long)other);
  free(wide);
  free(again);
  free(narrow);
}

int main(void) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  const int64_t counts[] = {0, 1, 7, 15, 16, 17, 1000, 100003};
  for (int k = 0; k < paths; k++)
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) check_length(usable[k], counts[i]);
  return check_report("bfloat16");
}

/* Rows of packed bytes against plain loops: ragged widths, any order of rows, and the same row twice. */
#include "check.h"

static void check_rows(const Kernels *kernels, int64_t out, int64_t width, int64_t rows) {
  int64_t depth = round_up(width, DEPTH_STEP), bytes = round_up(out, DEPTH_STEP) * depth, wrong = 0;
  int8_t *packed = exact(bytes);
  for (int64_t i = 0; i < bytes; i++) packed[i] = (int8_t)(i * 37 % 255 - 127);
  float *scales = random_floats(out, 1), *y = exact(rows * width * sizeof(float));
  int64_t *indices = exact(rows * sizeof(int64_t));
  for (int64_t row = 0; row < rows; row++) indices[row] = (row / 2 * 7 + out - 1) % out;
  kernels->int8_rows(&(Int8Rows){rows, width, indices, packed, scales, y}, &TWO_THREADS);
  for (int64_t row = 0; row < rows; row++)
    for (int64_t i = 0; i < width; i++) {
      int64_t from = indices[row];
      int8_t byte = packed[(from / 16 * (depth / 4) + i / 4) * 64 + from % 16 * 4 + i % 4];
      wrong += y[row * width + i] != byte * scales[from];
    }
  CHECK(wrong == 0, "%s out %ld width %ld rows %ld: %ld values wrong", kernels->path, (long)out, (long)width,
        (long)rows, (long)wrong);
  free(packed);
  free(scales);
  free(y);
  free(indices);
}

int main(void) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  const int64_t widths[] = {1, 3, 63, 64, 65, 200};
  for (int k = 0; k < paths; k++) {
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) check_rows(usable[k], 83, widths[w], 9);
    check_rows(usable[k], 1, 5, 1);
    check_rows(usable[k], 64, 64, 0);
    check_rows(usable[k], 100, 576, 300);
  }
  return check_report("int8-rows");
}

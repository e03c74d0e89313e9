/* float32 rounded to bfloat16, to nearest and ties to even, and bfloat16 widened, which is exact. */
#include "kernels.h"
#include "row-blocks.h"
#include "vector.h"

static void round_run(const float *from, int64_t count, uint16_t *to) {
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) store_bfloat16(to + i, load(from + i));
  for (; i < count; i++) to[i] = to_bfloat16(from[i]);
}

static void widen_run(const uint16_t *from, int64_t count, float *to) {
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) store(to + i, load_bfloat16(from + i));
  for (; i < count; i++) to[i] = from_bfloat16(from[i]);
}

static void round_piece(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const Bfloat16Cast *p = blocks->arguments;
  int64_t from = first_row(blocks, index);
  round_run(p->wide + from, end_row(blocks, index) - from, p->narrow + from);
}

static void widen_piece(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const Bfloat16Cast *p = blocks->arguments;
  int64_t from = first_row(blocks, index);
  widen_run(p->narrow + from, end_row(blocks, index) - from, p->wide + from);
}

static void round_to_bfloat16(const Bfloat16Cast *p, const Parallel *parallel) {
  for_row_blocks(parallel, round_piece, p, p->count, 1);
}

static void widen_bfloat16(const Bfloat16Cast *p, const Parallel *parallel) {
  for_row_blocks(parallel, widen_piece, p, p->count, 1);
}

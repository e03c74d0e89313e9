/* Rows of float32 to signed bytes in blocks; the arithmetic is in quantize-block.h. */
#include "quantize-block.h"
#include "row-blocks.h"

static void quantize_blocks_rows(void *argument, size_t index) {
  const RowBlocks *blocks = argument;
  const QuantizeBlocks *p = blocks->arguments;
  for (int64_t row = first_row(blocks, index); row < end_row(blocks, index); row++)
    quantize_row_in_blocks(p->x + row * p->width, p->width, &p->to, row);
}

static void quantize_blocks(const QuantizeBlocks *p, const Parallel *parallel) {
  for_row_blocks(parallel, quantize_blocks_rows, p, p->rows, p->width);
}

/* Work on rows that do not depend on each other, cut into pieces of a few rows. */
#ifndef FLACUNA_ROW_BLOCKS_H
#define FLACUNA_ROW_BLOCKS_H
#include <stdint.h>
#include "parallel.h"

/* What a task gets: the kernel's arguments, and which rows piece `index` has: see first_row and end_row. */
typedef struct {
  const void *arguments;
  int64_t rows, step;
} RowBlocks;

static inline int64_t first_row(const RowBlocks *blocks, size_t index) { return (int64_t)index * blocks->step; }
static inline int64_t end_row(const RowBlocks *blocks, size_t index) {
  int64_t end = first_row(blocks, index) + blocks->step;
  return end < blocks->rows ? end : blocks->rows;
}

/* Values of one array in a piece: 32 KiB of it, so that a piece costs far more than handing it out. */
#define ROW_BLOCK_VALUES 8192

/* Runs `task` with a RowBlocks over all rows of `width` values. */
static inline void for_row_blocks(const Parallel *parallel, Task task, const void *arguments, int64_t rows,
                                  int64_t width) {
  int64_t step = width > 0 && width < ROW_BLOCK_VALUES ? ROW_BLOCK_VALUES / width : 1;
  RowBlocks blocks = {arguments, rows, step};
  parallel_for(parallel, task, (rows + step - 1) / step, &blocks);
}

#endif

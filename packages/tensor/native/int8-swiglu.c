/* Two int8 products of the same rows and the gated activation of them: 64 columns of both are activated, transformed and
   rounded while they are in cache, so that neither is written in float32. */
#include "kernels.h"
#include "quantize-block.h"
#include "scratch.h"
#include "vector.h"

#define GATED_ROWS 256 /* of a task: both products of 64 columns are a quarter of a usual second-level cache with their totals */
#define GATED_SLOT (SCRATCH_SLOTS - 2)

typedef struct {
  const Int8Swiglu *arguments;
  Int8Job gate, up;
  int64_t blocks; /* of rows */
} GatedJob;

static void gated_row(const Int8Swiglu *p, int64_t row, int64_t panel, const float *gate, const float *up) {
  int64_t width = p->gate.out, padded = round_up(width, DEPTH_STEP), column = panel * SWIGLU_RUN;
  int64_t place = row * (padded / SWIGLU_RUN) + panel, columns = int8_smaller(SWIGLU_RUN, width - column);
  float h[SWIGLU_RUN];
  swiglu_run(gate, up, p->hadamard, h, (Ints){});
  BlockTotals totals = quantize_block(SWIGLU_RUN, 1, h, (int8_t *[2]){p->blocks.q + row * padded + column});
  p->blocks.scale[place] = totals.scale;
  p->blocks.start[place] = -ZERO_POINT * totals.sums[0];
  round_run(gate, columns, p->kept_gate + row * width + column);
  round_run(up, columns, p->kept_up + row * width + column);
}

/* Index as int8_task's. */
static void gated_task(void *argument, size_t index) {
  const GatedJob *job = argument;
  int64_t all = job->arguments->gate.rows, panel = index % job->gate.panels, block = index / job->gate.panels;
  int64_t first = all * block / job->blocks, rows = all * (block + 1) / job->blocks - first;
  size_t bytes = rows * INT8_PANEL * sizeof(float);
  float *gate = scratch(GATED_SLOT, 2 * bytes), *up = gate + rows * INT8_PANEL;
  if (panel + 1 == job->gate.panels) memset(gate, 0, 2 * bytes); /* columns past the last */
  int8_panel(&job->gate, panel, first, rows, (Int8Results){gate, NULL, INT8_PANEL});
  int8_panel(&job->up, panel, first, rows, (Int8Results){up, NULL, INT8_PANEL});
  for (int64_t row = 0; row < rows; row++)
    gated_row(job->arguments, first + row, panel, gate + row * INT8_PANEL, up + row * INT8_PANEL);
}

static void int8_swiglu(const Int8Swiglu *p, const Parallel *parallel) {
  GatedJob job = {p, int8_job(&p->gate, 0), int8_job(&p->up, 0), (p->gate.rows + GATED_ROWS - 1) / GATED_ROWS};
  parallel_for(parallel, gated_task, job.gate.panels * job.blocks, &job);
}

/* Rows of float32 to unsigned bytes with zero point 128, several rows a task; the arithmetic is in quantize-row.h. */
#include "quantize-row.h"

#define QUANTIZE_TASK 32768 /* values: large against the cost of a task, small against a batch */

typedef struct {
  const QuantizeRows *rows;
  int64_t rows_per_task;
} QuantizeJob;

static void quantize_task(void *argument, size_t index) {
  const QuantizeJob *job = argument;
  const QuantizeRows *p = job->rows;
  int64_t padded = round_up(p->width, DEPTH_STEP);
  int64_t first = index * job->rows_per_task, end = first + job->rows_per_task;
  if (end > p->rows) end = p->rows;
  for (int64_t r = first; r < end; r++)
    p->scale[r] = quantize_row(p->x + r * p->width, p->column_scale, p->width, p->q + r * padded);
}

static void quantize_rows(const QuantizeRows *p, const Parallel *parallel) {
  QuantizeJob job = {p, p->width < QUANTIZE_TASK ? QUANTIZE_TASK / (p->width > 0 ? p->width : 1) : 1};
  parallel_for(parallel, quantize_task, (p->rows + job.rows_per_task - 1) / job.rows_per_task, &job);
}

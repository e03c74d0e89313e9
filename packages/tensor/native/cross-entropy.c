/* Cross entropy of rows of logits against labels, and its pullback. A row is cut into pieces as well, so that a few rows
   of a large vocabulary still keep every thread busy. Logits are read from memory once. */
#include "kernels.h"
#include "scratch.h"
#include "vector.h"

/* Values of one piece: 64 KiB, several rows where they are short, a part of one where they are long. */
#define CROSS_ENTROPY_PIECE 16384
/* Values whose largest is found before their exponentials are summed: 8 KiB, which the first cache holds. */
#define CROSS_ENTROPY_CHUNK 2048

typedef struct {
  int64_t rows, classes, pieces_per_row, rows_per_piece;
} CrossEntropyCut;

static inline CrossEntropyCut cross_entropy_cut(int64_t rows, int64_t classes) {
  int64_t pieces = (classes + CROSS_ENTROPY_PIECE - 1) / CROSS_ENTROPY_PIECE;
  int64_t together = classes > 0 && classes < CROSS_ENTROPY_PIECE ? CROSS_ENTROPY_PIECE / classes : 1;
  return (CrossEntropyCut){rows, classes, pieces > 0 ? pieces : 1, together};
}
static inline size_t cross_entropy_pieces(const CrossEntropyCut *cut) {
  return (cut->rows + cut->rows_per_piece - 1) / cut->rows_per_piece * cut->pieces_per_row;
}

/* Rows first_row ... end_row and their columns start ... end. */
typedef struct {
  int64_t first_row, end_row, start, end;
} CrossEntropyPiece;

static inline CrossEntropyPiece cross_entropy_piece(const CrossEntropyCut *cut, size_t index) {
  int64_t first = (int64_t)index / cut->pieces_per_row * cut->rows_per_piece, end = first + cut->rows_per_piece;
  int64_t part = (int64_t)index % cut->pieces_per_row;
  return (CrossEntropyPiece){first, end < cut->rows ? end : cut->rows, part * cut->classes / cut->pieces_per_row,
                             (part + 1) * cut->classes / cut->pieces_per_row};
}

/* ---- forward --------------------------------------------------------------------------------------------------------- */

/* total = sum exp(x - largest) of the logits seen. It starts at the least number, not at minus infinity, so that rows
   with minus infinity in them have no infinity minus infinity. */
typedef struct {
  double total;
  float largest;
} CrossEntropySum;

#define CROSS_ENTROPY_NOTHING ((CrossEntropySum){0, -__FLT_MAX__})

static inline CrossEntropySum cross_entropy_join(CrossEntropySum a, CrossEntropySum b) {
  if (a.largest < b.largest) return cross_entropy_join(b, a);
  return (CrossEntropySum){a.total + b.total * exp((double)b.largest - a.largest), a.largest};
}

/* NaN does not count here; it reaches the sum of exponentials. */
static inline float cross_entropy_largest(const float *x, int64_t count) {
  Floats largest[4];
  for (int part = 0; part < 4; part++) largest[part] = splat(-__FLT_MAX__);
  int64_t i = 0;
  for (; i + 4 * LANES <= count; i += 4 * LANES)
    for (int part = 0; part < 4; part++) largest[part] = max_floats(load(x + i + part * LANES), largest[part]);
  float found = max_lanes(max_floats(max_floats(largest[0], largest[1]), max_floats(largest[2], largest[3])));
  for (; i < count; i++) found = x[i] > found ? x[i] : found;
  return found;
}

static inline CrossEntropySum cross_entropy_chunk(const float *x, int64_t count) {
  float largest = cross_entropy_largest(x, count);
  Floats shift = splat(largest), sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * LANES <= count; i += 4 * LANES)
    for (int part = 0; part < 4; part++) sums[part] += exp_floats(load(x + i + part * LANES) - shift);
  double total = sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < count; i += LANES) {
    Floats powers = exp_floats(load_first(x + i, count - i) - shift);
    for (int lane = 0; lane < LANES && lane < count - i; lane++) total += powers[lane];
  }
  return (CrossEntropySum){total, largest};
}

static CrossEntropySum cross_entropy_sum(const float *x, int64_t count) {
  CrossEntropySum sum = CROSS_ENTROPY_NOTHING;
  for (int64_t i = 0; i < count; i += CROSS_ENTROPY_CHUNK) {
    int64_t left = count - i;
    sum = cross_entropy_join(sum, cross_entropy_chunk(x + i, left < CROSS_ENTROPY_CHUNK ? left : CROSS_ENTROPY_CHUNK));
  }
  return sum;
}

typedef struct {
  const CrossEntropy *p;
  CrossEntropyCut cut;
  CrossEntropySum *sums; /* [rows, pieces_per_row] */
} CrossEntropyWork;

static void cross_entropy_task(void *argument, size_t index) {
  const CrossEntropyWork *work = argument;
  CrossEntropyPiece piece = cross_entropy_piece(&work->cut, index);
  int64_t part = (int64_t)index % work->cut.pieces_per_row;
  for (int64_t row = piece.first_row; row < piece.end_row; row++) {
    const float *logits = work->p->logits + row * work->p->classes;
    work->sums[row * work->cut.pieces_per_row + part] =
        cross_entropy_sum(logits + piece.start, piece.end - piece.start);
  }
}

/* A label that is no class has no logit: its loss is NaN. */
static inline float cross_entropy_label_logit(const CrossEntropy *p, int64_t row) {
  int64_t label = p->labels[row];
  return label >= 0 && label < p->classes ? p->logits[row * p->classes + label] : NAN;
}

static void cross_entropy(const CrossEntropy *p, const Parallel *parallel) {
  CrossEntropyWork work = {p, cross_entropy_cut(p->rows, p->classes), NULL};
  int64_t pieces = work.cut.pieces_per_row;
  work.sums = scratch(0, p->rows * pieces * sizeof(CrossEntropySum));
  parallel_for(parallel, cross_entropy_task, cross_entropy_pieces(&work.cut), &work);
  for (int64_t row = 0; row < p->rows; row++) {
    CrossEntropySum sum = CROSS_ENTROPY_NOTHING;
    for (int64_t part = 0; part < pieces; part++) sum = cross_entropy_join(sum, work.sums[row * pieces + part]);
    double log_sum_exp = sum.largest + log(sum.total);
    p->log_sum_exp[row] = (float)log_sum_exp;
    p->loss[row] = (float)(log_sum_exp - cross_entropy_label_logit(p, row));
  }
}

/* ---- pullback -------------------------------------------------------------------------------------------------------- */

typedef struct {
  const CrossEntropyGrad *p;
  CrossEntropyCut cut;
} CrossEntropyGradWork;

static void cross_entropy_grad_part(const CrossEntropyGrad *p, int64_t row, int64_t start, int64_t end) {
  const float *logits = p->logits + row * p->classes;
  float *d_logits = p->d_logits + row * p->classes;
  float g = p->g[row], log_sum_exp = p->log_sum_exp[row];
  /* The exponentials are finite where their sum is: rows that do not count, such as prompts, need none of them. */
  if (g == 0 && isfinite(log_sum_exp)) {
    memset(d_logits + start, 0, (end - start) * sizeof(float));
    return;
  }
  Floats factor = splat(g), shift = splat(log_sum_exp);
  int64_t i = start;
  for (; i + LANES <= end; i += LANES) store(d_logits + i, factor * exp_floats(load(logits + i) - shift));
  if (i < end) store_first(d_logits + i, factor * exp_floats(load_first(logits + i, end - i) - shift), end - i);
  int64_t label = p->labels[row];
  if (label >= start && label < end) d_logits[label] -= g;
}

static void cross_entropy_grad_task(void *argument, size_t index) {
  const CrossEntropyGradWork *work = argument;
  CrossEntropyPiece piece = cross_entropy_piece(&work->cut, index);
  for (int64_t row = piece.first_row; row < piece.end_row; row++)
    cross_entropy_grad_part(work->p, row, piece.start, piece.end);
}

static void cross_entropy_grad(const CrossEntropyGrad *p, const Parallel *parallel) {
  CrossEntropyGradWork work = {p, cross_entropy_cut(p->rows, p->classes)};
  parallel_for(parallel, cross_entropy_grad_task, cross_entropy_pieces(&work.cut), &work);
}

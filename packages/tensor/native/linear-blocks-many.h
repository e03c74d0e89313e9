/* Products of many rows quantised in blocks with packed weights of 8 bits, for the path of AVX-512: as int8_panel walks a
   panel, in chunks whose weights stay in the first-level cache for all rows, once their bias has been added. A row of y is
   to the bit what blocks_tile makes of it. */
#ifndef FLACUNA_LINEAR_BLOCKS_MANY_H
#define FLACUNA_LINEAR_BLOCKS_MANY_H

#define MANY_TILE INT8_BLOCK   /* rows of bytes */
#define MANY_PANEL INT8_PANEL  /* outputs */
#define MANY_VECTORS (MANY_PANEL / LANES)
#define MANY_CHUNK 320         /* inputs: 20 KiB of weights */
#define MANY_ROWS 24           /* of bytes: fewer do not pay for the bias */
#define MANY_ROWS_OF_FEW 64    /* nor do these, where there are fewer panels than tasks should be */

enum { MANY_SCRATCH_SUMS, MANY_SCRATCH_WEIGHTS };

/* Some rows and a chunk of a panel. */
typedef struct {
  const int8_t *q, *next; /* the chunk of these rows, and of the tile to come, which is asked for on the way */
  const float *scale;
  const int32_t *start;
  int64_t q_stride, blocks_stride; /* from row to row: of q, and of the others */
  const char *weights;             /* [MANY_PANEL / 16][blocks][1024] */
  int64_t blocks;
  Floats (*sums)[MANY_VECTORS]; /* so far */
} ManyTile;

BLOCKS_INLINE void many_tile(const int rows, const ManyTile *t) {
  const int8_t *q = t->q;
  const char *from = t->weights;
  const int64_t group_bytes = t->blocks * 1024, stride = t->q_stride;
  for (int64_t block = 0; block < t->blocks; block++) {
    Ints dots[MANY_TILE][MANY_VECTORS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      __builtin_prefetch(t->next + r * stride + block * 64, 0, 3);
      Ints start = splat_int(t->start[r * t->blocks_stride + block]);
#pragma GCC unroll 4
      for (int v = 0; v < MANY_VECTORS; v++) dots[r][v] = start;
    }
    for (const int8_t *end = q + 64; q < end; q += 4, from += 64) {
      Ints weights[MANY_VECTORS];
#pragma GCC unroll 4
      for (int v = 0; v < MANY_VECTORS; v++) weights[v] = blocks_load(from + v * group_bytes);
#pragma GCC unroll 6
      for (int r = 0; r < rows; r++) {
        Ints operand = blocks_quad(q + r * stride);
#pragma GCC unroll 4
        for (int v = 0; v < MANY_VECTORS; v++) dots[r][v] = blocks_dot(dots[r][v], weights[v], operand);
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      Floats scale = splat(t->scale[r * t->blocks_stride + block]);
#pragma GCC unroll 4
      for (int v = 0; v < MANY_VECTORS; v++)
        t->sums[r][v] = multiply_add(__builtin_convertvector(dots[r][v], Floats), scale, t->sums[r][v]);
    }
  }
}

static void many_tile_of(int64_t rows, const ManyTile *t) {
  switch (rows) {
    case 1: return many_tile(1, t);
    case 2: return many_tile(2, t);
    case 3: return many_tile(3, t);
    case 4: return many_tile(4, t);
    case 5: return many_tile(5, t);
    default: return many_tile(6, t);
  }
}

/* The weights of a chunk with their bias. */
static void many_bias(Int8Source source, char *to) {
  for (int64_t run = 0; run < source.runs; run++)
    for (int64_t at = 0; at < source.run_bytes; at += 64, to += 64) {
      Ints weights = blocks_load(source.first + run * source.stride + at) ^ splat_int((int32_t)BLOCKS_BIAS);
      memcpy(to, &weights, sizeof weights);
    }
}

typedef struct {
  const BlockProduct *product;
  int64_t depth, chunk, panels, row_blocks;
} ManyJob;

static inline int64_t many_panels(const BlockWeights *w) { return (w->out + MANY_PANEL - 1) / MANY_PANEL; }

static Int8Source many_source(const ManyJob *job, const BlockWeights *w, int64_t panel, int64_t from) {
  int64_t stride = job->depth * COLUMN_STEP, depth = int8_smaller(job->chunk, job->depth - from);
  const int8_t *first = (const int8_t *)w->packed + panel * INT8_GROUPS * stride + from * COLUMN_STEP;
  return (Int8Source){first, INT8_GROUPS, depth * COLUMN_STEP, stride, depth};
}

static void many_ask(const BlockWeights *w, int64_t row, int64_t column) {
  for (int64_t end = column + MANY_PANEL; column < end; column += BLOCKS_PANEL) blocks_ask(w, row, column);
}

/* Row `row` of y from the sums of its bytes. */
static void many_write(const BlockWeights *w, int64_t bytes, int64_t row, int64_t column,
                       Floats (*sums)[MANY_VECTORS]) {
  for (int half = 0; half < MANY_VECTORS; half += BLOCKS_VECTORS, column += BLOCKS_PANEL) {
    if (bytes == 2) blocks_join(sums[0] + half, sums[1] + half);
    if (column < w->out) blocks_write(w, row, column, sums[0] + half);
  }
}

/* Rows from `row` to `stop` of a panel. */
static void many_panel(const ManyJob *job, const BlockWeights *w, int64_t panel, int64_t row, int64_t stop) {
  const BlockProduct *p = job->product;
  const int64_t bytes = p->x.bytes, rows = (stop - row) * bytes, blocks_stride = job->depth / 64;
  const int64_t tiles = (rows + MANY_TILE - 1) / MANY_TILE;
  Floats(*sums)[MANY_VECTORS] = scratch(MANY_SCRATCH_SUMS, rows * sizeof *sums);
  char *weights = scratch(MANY_SCRATCH_WEIGHTS, MANY_PANEL * MANY_CHUNK);
  memset(sums, 0, rows * sizeof *sums);
  for (int64_t from = 0; from < job->depth; from += job->chunk) {
    int last = from + job->chunk >= job->depth;
    Int8Source source = many_source(job, w, panel, from);
    Int8Source next = last ? many_source(job, w, (panel + 1) % many_panels(w), 0)
                           : many_source(job, w, panel, from + job->chunk);
    many_bias(source, weights);
    for (int64_t r = 0; r < rows; r += MANY_TILE) {
      int64_t count = int8_smaller(MANY_TILE, rows - r), at = row * bytes + r;
      ManyTile tile = {.q = p->x.q + at * job->depth + from, .q_stride = job->depth, .blocks_stride = blocks_stride};
      tile.next = r + MANY_TILE < rows ? tile.q + MANY_TILE * job->depth : tile.q;
      tile.scale = p->x.scale + at * blocks_stride + from / 64;
      tile.start = p->x.start + at * blocks_stride + from / 64;
      tile.weights = weights;
      tile.blocks = source.depth / 64;
      tile.sums = sums + r;
      int8_prefetch(next, r / MANY_TILE, tiles);
      for (int64_t i = 0; last && i < count; i += bytes) many_ask(w, (at + i) / bytes, panel * MANY_PANEL);
      many_tile_of(count, &tile);
      for (int64_t i = 0; last && i < count; i += bytes)
        many_write(w, bytes, (at + i) / bytes, panel * MANY_PANEL, sums + r + i);
    }
  }
}

/* Index: blocks of rows outside, panels of all weights inside. */
static void many_task(void *argument, size_t index) {
  const ManyJob *job = argument;
  int64_t panel = (int64_t)index % job->panels, block = (int64_t)index / job->panels, rows = job->product->rows;
  const BlockWeights *w = job->product->weights;
  for (; panel >= many_panels(w); w++) panel -= many_panels(w);
  many_panel(job, w, panel, rows * block / job->row_blocks, rows * (block + 1) / job->row_blocks);
}

static int64_t many_all_panels(const BlockProduct *p) {
  int64_t panels = 0;
  for (int i = 0; i < p->count; i++) panels += many_panels(&p->weights[i]);
  return panels;
}

static int are_many(const BlockProduct *p) {
  int64_t least = many_all_panels(p) < INT8_TASKS ? MANY_ROWS_OF_FEW : MANY_ROWS;
  return p->format == WEIGHTS_INT8 && p->rows * p->x.bytes >= least;
}

static void many_product(const BlockProduct *p, const Parallel *parallel) {
  ManyJob job = {.product = p, .depth = round_up(p->in, DEPTH_STEP), .panels = many_all_panels(p)};
  job.chunk = int8_chunk(job.depth, MANY_CHUNK);
  job.row_blocks = int8_row_blocks(p->rows * p->x.bytes, job.depth, job.panels);
  parallel_for(parallel, many_task, job.panels * job.row_blocks, &job);
}

#endif

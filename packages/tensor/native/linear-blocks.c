/* Products of rows quantised in blocks with packed weights of 8 or 4 bits. A register tile holds up to BLOCKS_TILE rows of a
   panel of 32 outputs; the bytes of a block are summed in int32, then scaled and added in float32, block after block. So
   every weight is read once for a tile, and a row of y is the same whatever its tile. Rows whose values have two bytes are
   two rows of a tile, added up in the end. Weights of 4 bits that meet many tiles are first written out as bytes; those of
   8 bits that meet many rows are taken by linear-blocks-many.h where there is AVX-512. The path of matrix tiles takes
   these vectors too: a tile has no way to scale each block. */
#include "kernels.h"
#include "quantize-row.h"
#include "scratch.h"

#define BLOCKS_INLINE static inline __attribute__((always_inline))
#define BLOCKS_PANEL 32                        /* outputs: two groups of packed weights */
#define BLOCKS_VECTORS (BLOCKS_PANEL / LANES)  /* of a panel */
#define BLOCKS_ROW_BYTES (1 << 20)             /* q of a block of rows: half of a usual second-level cache */
#define BLOCKS_PIECE (1 << 17)                 /* bytes of weights: large against the cost of handing a piece out */
#define BLOCKS_PIECES 64                       /* at most, for a block of rows */
#define BLOCKS_MANY_TILES 3                    /* so many are worth writing 4-bit weights out as bytes */

/* Every path has BLOCKS_TILE, the rows of a register tile; BLOCKS_BIAS, what is flipped in signed weights to make them
   what its products take; and blocks_dot: total + the products of 4 inputs in each lane, where q is the same in all. */

#if defined(PATH_AVX512)

/* 24 totals, two vectors of weights, one of q and the bias fill 28 of 32 registers; sums wait in the nearest cache. */
#define BLOCKS_TILE 12
#define BLOCKS_BIAS 0x80808080 /* adds 128 to each: the instruction takes unsigned weights */
/* gcc 12 copies the accumulator of the intrinsic back and forth; the instruction itself does not. */
BLOCKS_INLINE Ints blocks_dot(Ints total, Ints weights, Ints q) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(total) : "v"(weights), "v"(q));
  return total;
}

#elif defined(PATH_AVX2)

#define BLOCKS_TILE 2
#define BLOCKS_BIAS 0
/* |w| * (q with w's sign): a pair of them cannot leave 16 bits. */
BLOCKS_INLINE Ints blocks_dot(Ints total, Ints weights, Ints q) {
  __m256i w = (__m256i)weights;
  __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8((__m256i)q, w));
  return total + (Ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

#else

#define BLOCKS_TILE 4
#define BLOCKS_BIAS 0
typedef int16_t Halves __attribute__((vector_size(LANES * 4)));
/* A pair of products cannot leave 16 bits. */
BLOCKS_INLINE Ints blocks_dot(Ints total, Ints weights, Ints q) {
  Halves w = (Halves)weights, x = (Halves)q;
  Ints pairs = (Ints)((w << 8 >> 8) * (x << 8 >> 8) + (w >> 8) * (x >> 8));
  return total + (pairs << 16 >> 16) + (pairs >> 16);
}

#endif

/* In what form a tile finds its weights: 4 bits as they are packed, or as bytes, and their scales as float32. */
typedef enum { BLOCKS_INT8, BLOCKS_INT4, BLOCKS_INT4_BYTES } BlocksForm;

/* ---- one register tile ----------------------------------------------------------------------------------------------- */

/* Some rows and a panel. */
typedef struct {
  const int8_t *q;
  const float *scale, *shift, *offset;
  const int32_t *start;
  int64_t q_stride, blocks_stride; /* from row to row: of q, and of the others */
  int64_t blocks;                  /* of the weights */
  const char *packed;              /* the panel's first group; the next panel comes after its second */
  int64_t group_bytes;             /* of packed weights */
  const uint16_t *scales, *minimums;
  const char *bytes;               /* of BLOCKS_INT4_BYTES: laid out as packed weights of 8 bits */
  const float *wide;               /* with them: [blocks][scales, minimums][BLOCKS_PANEL] */
  int64_t turn, turns; /* of every `turns` blocks of the next panel this tile asks for the `turn`-th */
  Floats (*sums)[BLOCKS_VECTORS]; /* [BLOCKS_TILE]: the result */
} BlocksTile;

/* 16 inputs are a part: so many bytes of a group, so many parts in a block. */
BLOCKS_INLINE int64_t blocks_part_bytes(BlocksForm form) { return form == BLOCKS_INT4 ? 128 : 256; }
BLOCKS_INLINE int blocks_parts(BlocksForm form) { return form == BLOCKS_INT8 ? 4 : 2; }

/* Vector `v` of a panel is in this group, from this lane on. */
BLOCKS_INLINE int64_t blocks_group(int v) { return v / (COLUMN_STEP / LANES); }
BLOCKS_INLINE int64_t blocks_lane(int v) { return v % (COLUMN_STEP / LANES) * LANES; }

BLOCKS_INLINE Ints blocks_load(const void *from) {
  Ints values;
  memcpy(&values, from, sizeof values);
  return values;
}

/* Inputs 4 * quad ... 4 * quad + 3 of the part of a group that starts at `part`. */
BLOCKS_INLINE Ints blocks_weights(const BlocksForm form, const char *part, const int quad) {
  if (form == BLOCKS_INT8) return blocks_load(part + quad * 64) ^ splat_int((int32_t)BLOCKS_BIAS);
  if (form == BLOCKS_INT4_BYTES) return blocks_load(part + quad * 64);
  return blocks_load(part + quad / 2 * 64) >> (quad % 2 * 4) & splat_int(0x0f0f0f0f);
}

BLOCKS_INLINE Ints blocks_quad(const int8_t *from) {
  int32_t quad;
  memcpy(&quad, from, sizeof quad);
  return splat_int(quad);
}

/* Asks for this block of the next panel. */
BLOCKS_INLINE void blocks_look_ahead(const BlocksForm form, const BlocksTile *t, int64_t block) {
  const int64_t bytes = form == BLOCKS_INT8 ? 1024 : 256;
  for (int group = 2; group < 4; group++)
#pragma GCC unroll 16
    for (int line = 0; line < bytes; line += 64)
      __builtin_prefetch(t->packed + group * t->group_bytes + block * bytes + line, 0, 2);
}

/* Where a row's sums of a block of 4 bits start, and the same times the row's scale once they are there: ROUNDER is so large
   that the bits of the float that starts there count in ones. Its product with the scale is exact, as is that of shift,
   so this rounds once, as it would without the detour that saves a conversion. */
#if defined(PATH_AVX512) || defined(PATH_AVX2)
#define BLOCKS_START ((Ints)splat(ROUNDER))
BLOCKS_INLINE Floats blocks_scaled(Ints dot, Floats scale, Floats shift) {
  return multiply_add((Floats)dot, scale, shift);
}
#else
#define BLOCKS_START splat_int(0)
BLOCKS_INLINE Floats blocks_scaled(Ints dot, Floats scale, Floats shift) {
  (void)shift;
  return __builtin_convertvector(dot, Floats) * scale;
}
#endif

/* sums[r][v] += the block's products times its scales. */
BLOCKS_INLINE void blocks_add_int8(const int rows, const BlocksTile *t, int64_t block,
                                   Ints dots[BLOCKS_TILE][BLOCKS_VECTORS], Floats sums[BLOCKS_TILE][BLOCKS_VECTORS]) {
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) {
    Floats scale = splat(t->scale[r * t->blocks_stride + block]);
#pragma GCC unroll 8
    for (int v = 0; v < BLOCKS_VECTORS; v++)
      sums[r][v] = multiply_add(__builtin_convertvector(dots[r][v], Floats), scale, sums[r][v]);
  }
}

BLOCKS_INLINE void blocks_add_int4(const int rows, const BlocksForm form, const BlocksTile *t, int64_t block,
                                   Ints dots[BLOCKS_TILE][BLOCKS_VECTORS], Floats sums[BLOCKS_TILE][BLOCKS_VECTORS]) {
  Floats scales[BLOCKS_VECTORS], minimums[BLOCKS_VECTORS];
#pragma GCC unroll 8
  for (int v = 0; v < BLOCKS_VECTORS; v++) {
    int64_t at = (blocks_group(v) * t->blocks + block) * COLUMN_STEP + blocks_lane(v);
    const float *wide = t->wide + block * 2 * BLOCKS_PANEL + v * LANES;
    scales[v] = form == BLOCKS_INT4 ? load_float16(t->scales + at) : load(wide);
    minimums[v] = form == BLOCKS_INT4 ? load_float16(t->minimums + at) : load(wide + BLOCKS_PANEL);
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) {
    int64_t place = r * t->blocks_stride + block;
    Floats scale = splat(t->scale[place]), shift = splat(t->shift[place]), offset = splat(t->offset[place]);
#pragma GCC unroll 8
    for (int v = 0; v < BLOCKS_VECTORS; v++) {
      Floats dot = blocks_scaled(dots[r][v], scale, shift);
      sums[r][v] = multiply_add(minimums[v], offset, multiply_add(dot, scales[v], sums[r][v]));
    }
  }
}

/* A pointer that the compiler does not know to be near others: else it computes each row's place anew. */
BLOCKS_INLINE const int8_t *blocks_opaque(const int8_t *pointer) {
  __asm__("" : "+r"(pointer));
  return pointer;
}

BLOCKS_INLINE void blocks_tile(const int rows, const BlocksForm form, const BlocksTile *t) {
  const int64_t stride = t->q_stride;
  const int8_t *q[(BLOCKS_TILE + 2) / 3]; /* of every third row */
  const char *part = form == BLOCKS_INT4_BYTES ? t->bytes : t->packed;
  const int64_t group_bytes = form == BLOCKS_INT4_BYTES ? 2 * t->group_bytes : t->group_bytes;
  Floats sums[BLOCKS_TILE][BLOCKS_VECTORS];
  int64_t wait = t->turn;
#pragma GCC unroll 4
  for (int i = 0; i < (rows + 2) / 3; i++) q[i] = blocks_opaque(t->q + 3 * i * stride);
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < BLOCKS_VECTORS; v++) sums[r][v] = (Floats){};
  for (int64_t block = 0; block < t->blocks; block++) {
    Ints dots[BLOCKS_TILE][BLOCKS_VECTORS];
    if (wait == 0) blocks_look_ahead(form, t, block);
    wait = wait == 0 ? t->turns - 1 : wait - 1;
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      Ints start = form != BLOCKS_INT8 ? BLOCKS_START
                                       : splat_int(BLOCKS_BIAS ? t->start[r * t->blocks_stride + block] : 0);
#pragma GCC unroll 8
      for (int v = 0; v < BLOCKS_VECTORS; v++) dots[r][v] = start;
    }
#pragma GCC unroll 1
    for (int i = 0; i < blocks_parts(form); i++, part += blocks_part_bytes(form)) {
#pragma GCC unroll 4
      for (int quad = 0; quad < 4; quad++) {
        Ints weights[BLOCKS_VECTORS];
#pragma GCC unroll 8
        for (int v = 0; v < BLOCKS_VECTORS; v++)
          weights[v] = blocks_weights(form, part + blocks_group(v) * group_bytes + blocks_lane(v) * 4, quad);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
          Ints operand = blocks_quad(q[r / 3] + r % 3 * stride + quad * 4);
#pragma GCC unroll 8
          for (int v = 0; v < BLOCKS_VECTORS; v++) dots[r][v] = blocks_dot(dots[r][v], weights[v], operand);
        }
      }
#pragma GCC unroll 4
      for (int j = 0; j < (rows + 2) / 3; j++) q[j] += 16;
    }
    if (form == BLOCKS_INT8) blocks_add_int8(rows, t, block, dots, sums);
    else blocks_add_int4(rows, form, t, block, dots, sums);
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < BLOCKS_VECTORS; v++) t->sums[r][v] = sums[r][v];
}

#define BLOCKS_ROWS(n) case n: return blocks_tile(n, form, t)
/* The same for any number of rows, each count compiled on its own. */
BLOCKS_INLINE void blocks_tile_of(const BlocksForm form, int64_t rows, const BlocksTile *t) {
  switch (rows) {
    BLOCKS_ROWS(1);
    BLOCKS_ROWS(2);
#if BLOCKS_TILE > 2
    BLOCKS_ROWS(3);
    BLOCKS_ROWS(4);
#endif
#if BLOCKS_TILE > 4
    BLOCKS_ROWS(5);
    BLOCKS_ROWS(6);
    BLOCKS_ROWS(7);
    BLOCKS_ROWS(8);
    BLOCKS_ROWS(9);
    BLOCKS_ROWS(10);
    BLOCKS_ROWS(11);
    BLOCKS_ROWS(12);
#endif
  }
}
static void blocks_tile_int8(int64_t rows, const BlocksTile *t) { blocks_tile_of(BLOCKS_INT8, rows, t); }
static void blocks_tile_int4(int64_t rows, const BlocksTile *t) { blocks_tile_of(BLOCKS_INT4, rows, t); }
static void blocks_tile_int4_bytes(int64_t rows, const BlocksTile *t) { blocks_tile_of(BLOCKS_INT4_BYTES, rows, t); }
typedef void BlocksTileOf(int64_t rows, const BlocksTile *t);

/* Writes the panel's 4-bit weights out as bytes and its scales as float32; they stay until the thread's next panel. */
static void blocks_write_out(BlocksTile *t) {
  const int64_t bytes = 4 * t->group_bytes;
  char *to = scratch(0, bytes + t->blocks * 2 * BLOCKS_PANEL * sizeof(float));
  float *wide = (float *)(to + bytes);
  for (int64_t at = 0; at < 2 * t->group_bytes; at += 64)
    for (int v = 0; v < COLUMN_STEP / LANES; v++)
      for (int quad = 0; quad < 2; quad++) {
        Ints weights = blocks_weights(BLOCKS_INT4, t->packed + at + v * LANES * 4, quad);
        memcpy(to + 2 * at + quad * 64 + v * LANES * 4, &weights, sizeof weights);
      }
  for (int64_t block = 0; block < t->blocks; block++)
    for (int v = 0; v < BLOCKS_VECTORS; v++) {
      int64_t from = (blocks_group(v) * t->blocks + block) * COLUMN_STEP + blocks_lane(v);
      store(wide + block * 2 * BLOCKS_PANEL + v * LANES, load_float16(t->scales + from));
      store(wide + (block * 2 + 1) * BLOCKS_PANEL + v * LANES, load_float16(t->minimums + from));
    }
  t->bytes = to;
  t->wide = wide;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------ */

/* The first `count` columns of one row of a panel: y = addend + sums * column_scale. */
BLOCKS_INLINE void blocks_write_first(const BlockWeights *w, int64_t row, int64_t column, int64_t count,
                                      const Floats sums[BLOCKS_VECTORS]) {
  float *y = w->y + row * w->out + column;
  const float *addend = w->addend == NULL ? NULL : w->addend + row * w->out + column;
#pragma GCC unroll 8
  for (int v = 0; v < BLOCKS_VECTORS; v++) {
    int64_t at = v * LANES, left = count - at;
    if (left <= 0) return;
    Floats value = sums[v];
    if (w->column_scale != NULL) value *= load_first(w->column_scale + column + at, left);
    if (addend != NULL) value += load_first(addend + at, left);
    store_first(y + at, value, left);
  }
}
/* The first byte's sums become those of both. */
BLOCKS_INLINE void blocks_join(Floats high[BLOCKS_VECTORS], const Floats low[BLOCKS_VECTORS]) {
#pragma GCC unroll 8
  for (int v = 0; v < BLOCKS_VECTORS; v++) high[v] += low[v];
}
static void blocks_write(const BlockWeights *w, int64_t row, int64_t column, const Floats sums[BLOCKS_VECTORS]) {
  if (column + BLOCKS_PANEL <= w->out) blocks_write_first(w, row, column, BLOCKS_PANEL, sums);
  else blocks_write_first(w, row, column, w->out - column, sums);
}

/* Asks for what blocks_write will write: else its stores wait for memory, and those of the next tile behind them. */
static void blocks_ask(const BlockWeights *w, int64_t row, int64_t column) {
  for (int64_t at = column; at < column + BLOCKS_PANEL && at < w->out; at += 16)
    __builtin_prefetch(w->y + row * w->out + at, 1, 3);
}

typedef struct {
  const BlockProduct *product;
  int64_t panels; /* of all weights together */
  int64_t pieces; /* that these are cut into */
  int64_t row_blocks;
} BlocksJob;

static inline int64_t blocks_panels(const BlockWeights *w) { return (w->out + BLOCKS_PANEL - 1) / BLOCKS_PANEL; }

/* What a tile of panel `panel` of a weight is, rows aside. */
static BlocksTile blocks_panel_tile(const BlockProduct *p, const BlockWeights *w, int64_t panel) {
  int64_t padded = round_up(p->in, DEPTH_STEP), block = p->format == WEIGHTS_INT8 ? 64 : 32;
  int64_t group_bytes = p->format == WEIGHTS_INT8 ? padded * COLUMN_STEP : p->in * COLUMN_STEP / 2;
  BlocksTile t = {.q_stride = padded, .blocks_stride = padded / block, .group_bytes = group_bytes};
  t.blocks = p->format == WEIGHTS_INT8 ? padded / block : p->in / block;
  t.packed = (const char *)w->packed + 2 * panel * group_bytes;
  if (p->format == WEIGHTS_INT8) return t;
  t.scales = w->scales + panel * t.blocks * BLOCKS_PANEL;
  t.minimums = w->minimums + panel * t.blocks * BLOCKS_PANEL;
  return t;
}

/* Rows from `row` to `stop` of a panel. */
static void blocks_panel(const BlockProduct *p, const BlockWeights *w, int64_t panel, int64_t row, int64_t stop) {
  BlocksTile t = blocks_panel_tile(p, w, panel);
  Floats sums[BLOCKS_TILE][BLOCKS_VECTORS];
  t.sums = sums;
  const int64_t bytes = p->x.bytes, most = BLOCKS_TILE / bytes;
  t.turns = (stop - row + most - 1) / most;
  int are_bytes = p->format == WEIGHTS_INT4 && t.turns >= BLOCKS_MANY_TILES;
  BlocksTileOf *tile = p->format == WEIGHTS_INT8 ? blocks_tile_int8 : are_bytes ? blocks_tile_int4_bytes : blocks_tile_int4;
  if (are_bytes) blocks_write_out(&t);
  for (t.turn = 0; t.turn < t.turns; t.turn++) {
    int64_t rows = (stop - row) / (t.turns - t.turn);
    const int64_t place = row * bytes * t.blocks_stride;
    t.q = p->x.q + row * bytes * t.q_stride;
    t.scale = p->x.scale + place;
    if (p->format == WEIGHTS_INT8) t.start = p->x.start + place;
    else t.shift = p->x.shift + place, t.offset = p->x.offset + place;
    for (int64_t r = 0; r < rows; r++) blocks_ask(w, row + r, panel * BLOCKS_PANEL);
    tile(rows * bytes, &t);
    for (int64_t r = 0; r < rows; r++, row++) {
      if (bytes == 2) blocks_join(sums[2 * r], sums[2 * r + 1]);
      blocks_write(w, row, panel * BLOCKS_PANEL, sums[r * bytes]);
    }
  }
}

/* Index: blocks of rows outside, pieces of the panels inside, so that the panels of a thread use the rows in its cache. */
static void blocks_task(void *argument, size_t index) {
  const BlocksJob *job = argument;
  const BlockProduct *p = job->product;
  int64_t piece = (int64_t)index % job->pieces, block = (int64_t)index / job->pieces;
  int64_t row = p->rows * block / job->row_blocks, stop = p->rows * (block + 1) / job->row_blocks;
  int64_t panel = job->panels * piece / job->pieces, last = job->panels * (piece + 1) / job->pieces;
  const BlockWeights *w = p->weights;
  for (int64_t before = 0; panel < last; panel++) {
    while (panel - before >= blocks_panels(w)) before += blocks_panels(w++);
    blocks_panel(p, w, panel - before, row, stop);
  }
}

#if defined(PATH_AVX512)
#include "linear-blocks-many.h"
#endif

static void block_product(const BlockProduct *p, const Parallel *parallel) {
#if defined(PATH_AVX512)
  if (are_many(p)) return many_product(p, parallel);
#endif
  BlocksJob job = {.product = p};
  for (int i = 0; i < p->count; i++) job.panels += blocks_panels(&p->weights[i]);
  int64_t q_rows = p->rows * p->x.bytes, q_bytes = q_rows * round_up(p->in, DEPTH_STEP);
  job.row_blocks = 1 + q_bytes / BLOCKS_ROW_BYTES;
  /* Reading a weight costs about as much as multiplying it with eight rows. */
  int64_t cost = job.panels * BLOCKS_PANEL * p->in * (8 + q_rows) / 8;
  job.pieces = 1 + cost / BLOCKS_PIECE;
  if (job.pieces > BLOCKS_PIECES) job.pieces = BLOCKS_PIECES;
  if (job.pieces > job.panels) job.pieces = job.panels;
  if (p->rows > 0 && job.panels > 0) parallel_for(parallel, blocks_task, job.pieces * job.row_blocks, &job);
}

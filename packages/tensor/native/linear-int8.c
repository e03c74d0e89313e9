/* Products with frozen weights held once as signed bytes, in both directions. A task takes a block of rows and a panel
   of 64 output columns, and walks the depth in chunks whose weights stay in the first-level cache for all its rows;
   totals are kept as int32 until the last chunk. Backward first transposes a chunk into the same quad layout, unless
   there is one row only. */
#include "kernels.h"
#include "scratch.h"
#include "vector.h"
#ifdef PATH_AMX
#include "amx.h"
#endif

#define INT8_PANEL 64                  /* columns of y in a task */
#define INT8_GROUPS (INT8_PANEL / 16)  /* groups of 16 columns in a panel */
#define INT8_ROW_BYTES (1 << 20)       /* q of a block of rows: half of a usual second-level cache */
#define INT8_ROWS_AT_LEAST 256         /* rows that one reading of the weights must serve, whatever their bytes */
#define INT8_TASKS 16                  /* so many tasks keep a few threads equally busy */

enum { INT8_SCRATCH_TOTALS, INT8_SCRATCH_PANEL, INT8_SCRATCH_OPERAND };

/* A piece of a panel: weights [INT8_GROUPS][depth / 4][16][4] with groups `group_bytes` apart. */
typedef struct {
  const int8_t *weights;
  int64_t group_bytes;
  int64_t depth; /* a multiple of 64 */
} Int8Piece;

/* Where the weights [64 columns][chunk] of a panel from depth `from` are packed: `runs` of contiguous bytes. */
typedef struct {
  const int8_t *first;
  int64_t runs, run_bytes, stride, depth;
} Int8Source;

/* Some rows of q against a piece: totals[rows][64] = start + q[rows][depth] * piece. */
typedef struct {
  const uint8_t *q;
  int64_t q_stride; /* bytes from row to row */
  const int32_t *start;
  int64_t start_stride; /* 0: the same for all rows */
  int32_t *totals;      /* room for INT8_TILE rows of 64; may be start */
  const uint8_t *next;  /* the tile to come, which is asked for on the way */
  const float *y;       /* where this tile will be written, to be asked for, or null */
  int64_t y_stride;
} Int8Tile;

/* Every path has: INT8_TILE, the rows it takes at a time; INT8_CHUNK, the most depth of a piece, whose weights are
   used for all rows before the next and should stay in the first-level cache; and
     int8_dot: the products of a tile of up to INT8_TILE rows with a piece;
     int8_row_across: the same for one row, backward, with weights that are not transposed first;
     int8_begin: what a task needs once. */

#define INT8_RUNS_AHEAD 8 /* of one row backward, from memory; with some strides more would push each other out of the cache */
#define INT8_RUNS_NEAR 2  /* of a piece that is transposed, which int8_prefetch has brought near */

#if defined(PATH_AVX512)

/* gcc 12 copies the accumulator of the intrinsic back and forth; the instruction itself does not. */
static inline __m512i int8_dot_quads(__m512i total, __m512i q, __m512i weights) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(total) : "v"(q), "v"(weights));
  return total;
}

#define INT8_BLOCK 6 /* rows: 6 x 4 totals, 4 weights and a broadcast fill 29 of 32 registers */

/* Asks for 64 bytes of each row of the next tile and for one row of y: a little at a time, among the products. */
static inline __attribute__((always_inline)) void int8_look_ahead(const int rows, const Int8Tile *tile, int64_t k) {
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++) __builtin_prefetch(tile->next + r * tile->q_stride + k, 0, 3);
  if (tile->y == NULL || k / 64 >= rows) return;
#pragma GCC unroll 4
  for (int c = 0; c < INT8_PANEL; c += 16) __builtin_prefetch(tile->y + k / 64 * tile->y_stride + c, 1, 3);
}

static inline __attribute__((always_inline)) void int8_block(const int rows, const Int8Tile *tile, Int8Piece piece) {
  __m512i total[INT8_BLOCK][INT8_GROUPS], weights[INT8_GROUPS];
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int c = 0; c < INT8_GROUPS; c++)
      total[r][c] = _mm512_loadu_si512(tile->start + r * tile->start_stride + 16 * c);
  const uint8_t *q = tile->q;
  const int8_t *from = piece.weights;
  int64_t stride = tile->q_stride;
  for (int64_t k = 0; k < piece.depth; k += 64) {
    int8_look_ahead(rows, tile, k);
    for (const uint8_t *end = q + 64; q < end; q += 4, from += 64) {
#pragma GCC unroll 4
      for (int c = 0; c < INT8_GROUPS; c++) weights[c] = _mm512_loadu_si512(from + c * piece.group_bytes);
#pragma GCC unroll 6
      for (int r = 0; r < rows; r++) {
        int32_t quad;
        memcpy(&quad, q + r * stride, 4);
        __m512i operand = _mm512_set1_epi32(quad);
#pragma GCC unroll 4
        for (int c = 0; c < INT8_GROUPS; c++) total[r][c] = int8_dot_quads(total[r][c], operand, weights[c]);
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int c = 0; c < INT8_GROUPS; c++)
      _mm512_storeu_si512(tile->totals + r * INT8_PANEL + 16 * c, total[r][c]);
}

static void int8_dot_block(int rows, const Int8Tile *tile, Int8Piece piece) {
  switch (rows) {
    case 1: return int8_block(1, tile, piece);
    case 2: return int8_block(2, tile, piece);
    case 3: return int8_block(3, tile, piece);
    case 4: return int8_block(4, tile, piece);
    case 5: return int8_block(5, tile, piece);
    default: return int8_block(6, tile, piece);
  }
}

/* Within each 128-bit lane, 4 outputs x 4 inputs to 4 inputs x 4 outputs. */
static inline __m512i int8_transpose_lanes(__m512i weights) {
  const __m128i bytes = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_shuffle_epi8(weights, _mm512_broadcast_i32x4(bytes));
}

/* One row. Lane n of a vector [16 outputs][4 inputs] meets outputs 4n ... 4n + 3 of q; lanes are added at the end. */
static void int8_row_across(const uint8_t *q, Int8Source source, const int32_t *start, int32_t *totals) {
  const __m512i spread = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  const int64_t ahead = INT8_RUNS_AHEAD * source.stride;
  __m512i total[INT8_PANEL / 4];
#pragma GCC unroll 16
  for (int c = 0; c < INT8_PANEL / 4; c++) total[c] = _mm512_setzero_si512();
  for (int64_t run = 0; run < source.runs; run++) {
    const int8_t *from = source.first + run * source.stride;
    __m512i operand = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(q + 16 * run)));
    operand = _mm512_permutexvar_epi32(spread, operand);
#pragma GCC unroll 16
    for (int c = 0; c < INT8_PANEL / 4; c++) {
      __builtin_prefetch(from + ahead + 64 * c, 0, 3);
      total[c] = int8_dot_quads(total[c], operand, int8_transpose_lanes(_mm512_loadu_si512(from + 64 * c)));
    }
  }
#pragma GCC unroll 16
  for (int c = 0; c < INT8_PANEL / 4; c++) {
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(total[c]), _mm512_extracti64x4_epi64(total[c], 1));
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    sum = _mm_add_epi32(sum, _mm_loadu_si128((const __m128i *)(start + 4 * c)));
    _mm_storeu_si128((__m128i *)(totals + 4 * c), sum);
  }
}

/* 16 outputs x 16 inputs, as four vectors [16 outputs][4 inputs], to four vectors [16 inputs][4 outputs]. */
static inline void int8_transpose_square(const int8_t *from, int8_t *to, int64_t to_stride) {
  __m512i a = _mm512_loadu_si512(from), b = _mm512_loadu_si512(from + 64);
  __m512i c = _mm512_loadu_si512(from + 128), d = _mm512_loadu_si512(from + 192);
  __m512i ab_even = _mm512_shuffle_i32x4(a, b, 0x88), ab_odd = _mm512_shuffle_i32x4(a, b, 0xdd);
  __m512i cd_even = _mm512_shuffle_i32x4(c, d, 0x88), cd_odd = _mm512_shuffle_i32x4(c, d, 0xdd);
  _mm512_storeu_si512(to, int8_transpose_lanes(_mm512_shuffle_i32x4(ab_even, cd_even, 0x88)));
  _mm512_storeu_si512(to + to_stride, int8_transpose_lanes(_mm512_shuffle_i32x4(ab_odd, cd_odd, 0x88)));
  _mm512_storeu_si512(to + 2 * to_stride, int8_transpose_lanes(_mm512_shuffle_i32x4(ab_even, cd_even, 0xdd)));
  _mm512_storeu_si512(to + 3 * to_stride, int8_transpose_lanes(_mm512_shuffle_i32x4(ab_odd, cd_odd, 0xdd)));
}

#elif defined(PATH_AVX2)

/* 4 outputs x 4 inputs to 4 inputs x 4 outputs. */
static inline __m128i int8_transpose_lane(const int8_t *from) {
  const __m128i bytes = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)from), bytes);
}

static inline void int8_transpose_square(const int8_t *from, int8_t *to, int64_t to_stride) {
  for (int inputs = 0; inputs < 4; inputs++)
    for (int outputs = 0; outputs < 4; outputs++)
      _mm_storeu_si128((__m128i *)(to + outputs * to_stride + 16 * inputs),
                       int8_transpose_lane(from + 64 * inputs + 16 * outputs));
}

/* Sums of neighbouring pairs: left gives results 0 ... 3, right 4 ... 7. */
static inline __m256i int8_add_pairs(__m256i left, __m256i right) {
  return _mm256_permute4x64_epi64(_mm256_hadd_epi32(left, right), 0xd8);
}

/* One row, in halves of 32 columns: 8 totals of 4 columns, each the sum of two. */
static void int8_row_across(const uint8_t *q, Int8Source source, const int32_t *start, int32_t *totals) {
  for (int half = 0; half < INT8_PANEL; half += 32) {
    __m256i total[8] = {};
    for (int64_t k = 0; k < source.depth; k += 4) {
      const int8_t *from = source.first + k / 16 * source.stride + k % 16 * 4 + half * 16;
      int32_t quad;
      memcpy(&quad, q + k, 4);
      __m256i operand = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(quad)));
#pragma GCC unroll 8
      for (int c = 0; c < 8; c++) {
        __m256i weights = _mm256_cvtepi8_epi16(int8_transpose_lane(from + 64 * c));
        total[c] = _mm256_add_epi32(total[c], _mm256_madd_epi16(operand, weights));
      }
    }
    for (int c = 0; c < 8; c += 2) {
      __m256i before = _mm256_loadu_si256((const __m256i *)(start + half + 4 * c));
      __m256i sum = _mm256_add_epi32(before, int8_add_pairs(total[c], total[c + 1]));
      _mm256_storeu_si256((__m256i *)(totals + half + 4 * c), sum);
    }
  }
}

#else

static inline void int8_transpose_square(const int8_t *from, int8_t *to, int64_t to_stride) {
  for (int quad = 0; quad < 4; quad++)
    for (int input = 0; input < 16; input++)
      for (int j = 0; j < 4; j++)
        to[quad * to_stride + 4 * input + j] = from[input / 4 * 64 + (4 * quad + j) * 4 + input % 4];
}

static void int8_row_across(const uint8_t *q, Int8Source source, const int32_t *start, int32_t *totals) {
  memmove(totals, start, INT8_PANEL * sizeof *totals);
  for (int64_t run = 0; run < source.runs; run++)
    for (int quad = 0; quad < INT8_PANEL / 4; quad++)
      for (int output = 0; output < 16; output++)
        for (int j = 0; j < 4; j++)
          totals[4 * quad + j] +=
              q[16 * run + output] * source.first[run * source.stride + quad * 64 + 4 * output + j];
}

#endif

#if defined(PATH_AMX)

#define INT8_TILE 32
#define INT8_CHUNK 576

static void int8_begin(void) { tile_config(); }

/* Two tiles of rows, `q_stride` bytes a row, and two of columns, from column group `pair`. */
static void int8_tiles(const Int8Tile *tile, const uint8_t *top, const uint8_t *bottom, int64_t q_stride,
                       Int8Piece piece, int pair) {
  const int8_t *left = piece.weights + pair * piece.group_bytes, *right = left + piece.group_bytes;
  const int32_t *start = tile->start + pair * 16, *start_below = start + 16 * tile->start_stride;
  int32_t *totals = tile->totals + pair * 16, *totals_below = totals + 16 * INT8_PANEL;
  int64_t start_bytes = tile->start_stride * 4, total_bytes = INT8_PANEL * 4;
  tile_load(0, start, start_bytes);
  tile_load(1, start + 16, start_bytes);
  tile_load(2, start_below, start_bytes);
  tile_load(3, start_below + 16, start_bytes);
  for (int64_t k = 0; k < piece.depth; k += 64) {
    tile_load(4, top + k, q_stride);
    tile_load(6, left + k * 16, 64);
    tile_load(7, right + k * 16, 64);
    tile_load(5, bottom + k, q_stride);
    tile_dot_u8s8(0, 4, 6);
    tile_dot_u8s8(1, 4, 7);
    tile_dot_u8s8(2, 5, 6);
    tile_dot_u8s8(3, 5, 7);
  }
  tile_store(0, totals, total_bytes);
  tile_store(1, totals + 16, total_bytes);
  tile_store(2, totals_below, total_bytes);
  tile_store(3, totals_below + 16, total_bytes);
}

/* One tile of rows, two of columns. */
static void int8_half_tiles(const Int8Tile *tile, const uint8_t *q, int64_t q_stride, Int8Piece piece,
                            int pair) {
  const int8_t *left = piece.weights + pair * piece.group_bytes, *right = left + piece.group_bytes;
  const int32_t *start = tile->start + pair * 16;
  int32_t *totals = tile->totals + pair * 16;
  tile_load(0, start, tile->start_stride * 4);
  tile_load(1, start + 16, tile->start_stride * 4);
  for (int64_t k = 0; k < piece.depth; k += 64) {
    tile_load(4, q + k, q_stride);
    tile_load(6, left + k * 16, 64);
    tile_load(7, right + k * 16, 64);
    tile_dot_u8s8(0, 4, 6);
    tile_dot_u8s8(1, 4, 7);
  }
  tile_store(0, totals, INT8_PANEL * 4);
  tile_store(1, totals + 16, INT8_PANEL * 4);
}

/* Rows that do not fill a tile are copied to one that ends in zeros; totals and start have room for whole tiles. */
static void int8_dot(int rows, const Int8Tile *tile, Int8Piece piece) {
  if (rows <= INT8_BLOCK) return int8_dot_block(rows, tile, piece);
  const uint8_t *top = tile->q, *bottom = tile->q + 16 * tile->q_stride;
  int64_t stride = tile->q_stride;
  int padded = (int)round_up(rows, TILE_ROWS);
  if (rows < padded) {
    uint8_t *copy = scratch(INT8_SCRATCH_OPERAND, INT8_TILE * INT8_CHUNK);
    for (int r = 0; r < rows; r++) memcpy(copy + r * piece.depth, tile->q + r * stride, piece.depth);
    memset(copy + rows * piece.depth, 0, (padded - rows) * piece.depth);
    top = copy, bottom = copy + 16 * piece.depth, stride = piece.depth;
  }
  for (int pair = 0; pair < INT8_GROUPS; pair += 2)
    if (padded == INT8_TILE) int8_tiles(tile, top, bottom, stride, piece, pair);
    else int8_half_tiles(tile, top, stride, piece, pair);
}

#elif defined(PATH_AVX512)

#define INT8_TILE INT8_BLOCK
#define INT8_CHUNK 320 /* transposed pieces of 576 run 5 % slower */
static void int8_begin(void) {}
#define int8_dot int8_dot_block

#elif defined(PATH_AVX2)

#define INT8_TILE 4
#define INT8_CHUNK 512
static void int8_begin(void) {}

/* `rows` rows by 8 columns; operand is q widened to 16 bits, [rows][depth]: vpmaddwd is exact, vpmaddubsw is not. */
static inline __attribute__((always_inline)) void int8_block(const int rows, const int16_t *operand, int64_t depth,
                                                             const int8_t *weights, const int32_t *start,
                                                             int64_t start_stride, int32_t *totals) {
  __m256i left[INT8_TILE] = {}, right[INT8_TILE] = {};
  for (int64_t k = 0; k < depth; k += 4) {
    __m256i w_left = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(weights + k * 16)));
    __m256i w_right = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(weights + k * 16 + 16)));
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      int64_t quad;
      memcpy(&quad, operand + r * depth + k, 8);
      __m256i q = _mm256_set1_epi64x(quad);
      left[r] = _mm256_add_epi32(left[r], _mm256_madd_epi16(q, w_left));
      right[r] = _mm256_add_epi32(right[r], _mm256_madd_epi16(q, w_right));
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) {
    __m256i before = _mm256_loadu_si256((const __m256i *)(start + r * start_stride));
    _mm256_storeu_si256((__m256i *)(totals + r * INT8_PANEL),
                        _mm256_add_epi32(before, int8_add_pairs(left[r], right[r])));
  }
}

static void int8_dot(int rows, const Int8Tile *tile, Int8Piece piece) {
  int16_t *operand = scratch(INT8_SCRATCH_OPERAND, INT8_TILE * INT8_CHUNK * sizeof *operand);
  for (int r = 0; r < rows; r++)
    for (int64_t k = 0; k < piece.depth; k++) operand[r * piece.depth + k] = tile->q[r * tile->q_stride + k];
  for (int column = 0; column < INT8_PANEL; column += 8) {
    const int8_t *weights = piece.weights + column / 16 * piece.group_bytes + column % 16 * 4;
    const int32_t *from = tile->start + column;
    int32_t *to = tile->totals + column;
    switch (rows) {
      case 1: int8_block(1, operand, piece.depth, weights, from, tile->start_stride, to); break;
      case 2: int8_block(2, operand, piece.depth, weights, from, tile->start_stride, to); break;
      case 3: int8_block(3, operand, piece.depth, weights, from, tile->start_stride, to); break;
      default: int8_block(4, operand, piece.depth, weights, from, tile->start_stride, to);
    }
  }
}

#else

/* In float32, which every machine multiplies well: sums of a chunk stay below 512 * 255 * 128 < 2^24, so are exact. */
#define INT8_TILE 48
#define INT8_CHUNK 512
#define INT8_BLOCK 3     /* rows of a block */
#define INT8_VECTORS 4   /* vectors of columns of a block: 3 x 4 totals leave 4 of 16 registers */
static void int8_begin(void) {}

/* `rows` rows by 4 vectors of columns: operand [rows][depth], weights [depth][64]. */
static inline __attribute__((always_inline)) void int8_block(const int rows, const float *operand, int64_t depth,
                                                             const float *weights, const int32_t *start,
                                                             int64_t start_stride, int32_t *totals) {
  Floats total[INT8_BLOCK][INT8_VECTORS] = {};
  for (int64_t k = 0; k < depth; k++)
#pragma GCC unroll 4
    for (int c = 0; c < INT8_VECTORS; c++) {
      Floats w = load(weights + k * INT8_PANEL + c * LANES);
#pragma GCC unroll 3
      for (int r = 0; r < rows; r++) total[r][c] += splat(operand[r * depth + k]) * w;
    }
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < INT8_VECTORS; c++)
      for (int lane = 0; lane < LANES; lane++) {
        int64_t column = c * LANES + lane;
        totals[r * INT8_PANEL + column] = start[r * start_stride + column] + (int32_t)total[r][c][lane];
      }
}

static void int8_widen(Int8Piece piece, float *weights) {
  for (int64_t k = 0; k < piece.depth; k++)
    for (int64_t column = 0; column < INT8_PANEL; column++)
      weights[k * INT8_PANEL + column] =
          piece.weights[column / 16 * piece.group_bytes + k / 4 * 64 + column % 16 * 4 + k % 4];
}

static void int8_dot(int rows, const Int8Tile *tile, Int8Piece piece) {
  float *weights = scratch(INT8_SCRATCH_OPERAND, (INT8_PANEL + INT8_TILE) * INT8_CHUNK * sizeof *weights);
  float *operand = weights + INT8_PANEL * INT8_CHUNK;
  int8_widen(piece, weights);
  for (int r = 0; r < rows; r++)
    for (int64_t k = 0; k < piece.depth; k++) operand[r * piece.depth + k] = tile->q[r * tile->q_stride + k];
  for (int r = 0; r < rows; r += INT8_BLOCK)
    for (int column = 0; column < INT8_PANEL; column += INT8_VECTORS * LANES) {
      const float *q_block = operand + r * piece.depth;
      const int32_t *from = tile->start + r * tile->start_stride + column;
      int32_t *to = tile->totals + r * INT8_PANEL + column;
      switch (rows - r) {
        case 1: int8_block(1, q_block, piece.depth, weights + column, from, tile->start_stride, to); break;
        case 2: int8_block(2, q_block, piece.depth, weights + column, from, tile->start_stride, to); break;
        default: int8_block(3, q_block, piece.depth, weights + column, from, tile->start_stride, to);
      }
    }
}

#endif

/* ---- the same for every path ---------------------------------------------------------------------------------------- */

typedef struct {
  const Int8Product *product;
  int backward;
  int64_t depth;  /* of q, padded */
  int64_t chunk;  /* depth of a piece */
  int64_t width;  /* of y */
  int64_t panels; /* of y */
  int64_t blocks; /* of rows */
} Int8Job;

static inline int64_t int8_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t int8_larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Blocks of rows whose q stays in cache, and enough of them for all threads; few rows are never split, because then
   reading the weights is what costs. */
static int64_t int8_row_blocks(int64_t rows, int64_t depth, int64_t panels) {
  int64_t fitting = int8_larger(INT8_ROW_BYTES / depth, INT8_ROWS_AT_LEAST);
  int64_t by_cache = (rows + fitting - 1) / fitting;
  int64_t by_tasks = int8_smaller((INT8_TASKS + panels - 1) / panels, rows / (INT8_ROWS_AT_LEAST / 2));
  return int8_larger(1, int8_larger(by_cache, by_tasks));
}

/* The depth of pieces of about the same size, none deeper than `most`. */
static int64_t int8_chunk(int64_t depth, int64_t most) {
  int64_t chunks = (depth + most - 1) / most;
  return round_up((depth + chunks - 1) / chunks, DEPTH_STEP);
}

static Int8Source int8_source(const Int8Job *job, int64_t panel, int64_t from) {
  int64_t depth = int8_smaller(job->chunk, job->depth - from);
  int64_t stride = round_up(job->product->in, DEPTH_STEP) * COLUMN_STEP; /* bytes of a group of 16 outputs */
  const int8_t *packed = job->product->packed;
  if (job->backward)
    return (Int8Source){packed + from / 16 * stride + panel * INT8_GROUPS * 256, depth / 16, INT8_GROUPS * 256,
                        stride, depth};
  return (Int8Source){packed + panel * INT8_GROUPS * stride + from * 16, INT8_GROUPS, depth * 16, stride, depth};
}

/* Those weights as the products take them: in place forward, transposed backward. */
static Int8Piece int8_piece(const Int8Job *job, Int8Source source) {
  if (!job->backward) return (Int8Piece){source.first, source.stride, source.depth};
  int64_t group_bytes = source.depth * 16;
  int8_t *to = scratch(INT8_SCRATCH_PANEL, INT8_PANEL * INT8_CHUNK);
  for (int64_t run = 0; run < source.runs; run++) {
    const int8_t *from = source.first + run * source.stride;
    for (int line = 0; line < INT8_GROUPS * 4; line++)
      __builtin_prefetch(from + INT8_RUNS_NEAR * source.stride + 64 * line, 0, 3);
    for (int group = 0; group < INT8_GROUPS; group++)
      int8_transpose_square(from + group * 256, to + group * group_bytes + run * 256, 64);
  }
  return (Int8Piece){to, group_bytes, source.depth};
}

/* Asks for part `part` of `parts` of the weights that come next, so that they are near when their turn comes. */
static void int8_prefetch(Int8Source next, int64_t part, int64_t parts) {
  int64_t line = next.depth * part / parts, count = next.depth * (part + 1) / parts - line;
  int64_t in_run = next.run_bytes / 64, at = line % in_run;
  const int8_t *run = next.first + line / in_run * next.stride;
  for (; count > 0; count--) {
    __builtin_prefetch(run + at * 64, 0, 2);
    __asm__ volatile(""); /* gcc 12 leaves out a function that does nothing but ask */
    if (++at == in_run) at = 0, run += next.stride;
  }
}

/* y[columns] = addend + totals * (row_scale * column_scale) */
static inline __attribute__((always_inline)) void int8_finish_row(const int32_t *totals, const int64_t columns,
                                                                  float row_scale, const float *column_scale,
                                                                  const float *addend, float *y) {
  int64_t c = 0;
  for (; c + LANES <= columns; c += LANES) {
    Ints total;
    memcpy(&total, totals + c, sizeof total);
    Floats value = __builtin_convertvector(total, Floats) * (load(column_scale + c) * splat(row_scale));
    store(y + c, addend == NULL ? value : value + load(addend + c));
  }
  for (; c < columns; c++) {
    float value = (float)totals[c] * (column_scale[c] * row_scale);
    y[c] = addend == NULL ? value : value + addend[c];
  }
}

/* What is the same for all rows of a panel. */
typedef struct {
  int64_t columns; /* of y */
  int32_t start[INT8_PANEL];
  float column_scale[INT8_PANEL];
} Int8Columns;

static void int8_columns(const Int8Job *job, int64_t panel, Int8Columns *columns) {
  const Int8Product *p = job->product;
  int64_t first = panel * INT8_PANEL;
  columns->columns = int8_smaller(INT8_PANEL, job->width - first);
  for (int64_t c = 0; c < INT8_PANEL; c++) {
    int inside = c < columns->columns;
    columns->start[c] = inside ? -ZERO_POINT * p->sums[first + c] : 0;
    columns->column_scale[c] = inside && !job->backward ? p->column_scale[first + c] : 1.0f;
  }
}

/* Some rows of a panel of y, and of what is added to them. */
typedef struct {
  float *y;
  const float *addend; /* or null */
  int64_t stride;      /* of both */
} Int8Results;

static void int8_finish(const float *row_scale, const Int8Columns *columns, int rows, const int32_t *totals,
                        Int8Results to) {
  for (int r = 0; r < rows; r++, totals += INT8_PANEL) {
    float *y = to.y + r * to.stride;
    const float *addend = to.addend == NULL ? NULL : to.addend + r * to.stride;
    if (columns->columns == INT8_PANEL)
      int8_finish_row(totals, INT8_PANEL, row_scale[r], columns->column_scale, addend, y);
    else int8_finish_row(totals, columns->columns, row_scale[r], columns->column_scale, addend, y);
  }
}

static Int8Results int8_results_from(Int8Results results, int64_t row) {
  results.y += row * results.stride;
  if (results.addend != NULL) results.addend += row * results.stride;
  return results;
}

/* A panel of `rows` rows from `first` on. */
static void int8_panel(const Int8Job *job, int64_t panel, int64_t first, int64_t rows, Int8Results results) {
  const Int8Product *p = job->product;
  int64_t tiles = (rows + INT8_TILE - 1) / INT8_TILE;
  int across = job->backward && rows == 1;
  int32_t *totals = scratch(INT8_SCRATCH_TOTALS, (tiles + 1) * INT8_TILE * INT8_PANEL * sizeof *totals);
  int32_t finished[INT8_TILE * INT8_PANEL];
  Int8Columns columns;
  int8_columns(job, panel, &columns);
  int8_begin();
  for (int64_t from = 0; from < job->depth; from += job->chunk) {
    int last = from + job->chunk >= job->depth;
    Int8Source source = int8_source(job, panel, from);
    Int8Piece piece = across ? (Int8Piece){0} : int8_piece(job, source);
    Int8Source next = last ? int8_source(job, (panel + 1) % job->panels, 0)
                           : int8_source(job, panel, from + job->chunk);
    for (int64_t r = 0; r < rows; r += INT8_TILE) {
      int count = (int)int8_smaller(INT8_TILE, rows - r);
      Int8Tile tile = {.q = p->q + (first + r) * job->depth + from, .q_stride = job->depth};
      int32_t *kept = totals + r * INT8_PANEL;
      Int8Results to = int8_results_from(results, r);
      tile.totals = last ? finished : kept;
      tile.start = from == 0 ? columns.start : kept;
      tile.start_stride = from == 0 ? 0 : INT8_PANEL;
      tile.next = r + INT8_TILE < rows ? tile.q + INT8_TILE * job->depth : tile.q;
      tile.y = last ? to.y : NULL;
      tile.y_stride = to.stride;
      if (tiles > 1) int8_prefetch(next, r / INT8_TILE, tiles);
      if (across) int8_row_across(tile.q, source, tile.start, tile.totals);
      else int8_dot(count, &tile, piece);
      if (last) int8_finish(p->row_scale + first + r, &columns, count, finished, to);
    }
  }
}

/* Index: blocks of rows outside, panels inside, so that the panels of a thread use the rows in its cache. */
static void int8_task(void *argument, size_t index) {
  const Int8Job *job = argument;
  const Int8Product *p = job->product;
  int64_t panel = index % job->panels, block = index / job->panels;
  int64_t first = p->rows * block / job->blocks, rows = p->rows * (block + 1) / job->blocks - first;
  int64_t at = first * job->width + panel * INT8_PANEL;
  int8_panel(job, panel, first, rows, (Int8Results){p->y + at, p->addend == NULL ? NULL : p->addend + at, job->width});
}

static Int8Job int8_job(const Int8Product *p, int backward) {
  int64_t depth = backward ? p->out : p->in, width = backward ? p->in : p->out;
  Int8Job job = {.product = p, .backward = backward, .depth = round_up(depth, DEPTH_STEP), .width = width};
  job.chunk = int8_chunk(job.depth, INT8_CHUNK);
  job.panels = (width + INT8_PANEL - 1) / INT8_PANEL;
  job.blocks = int8_row_blocks(p->rows, job.depth, job.panels);
  return job;
}

static void int8_product(const Int8Product *p, int backward, const Parallel *parallel) {
  Int8Job job = int8_job(p, backward);
  if (p->rows > 0) parallel_for(parallel, int8_task, job.panels * job.blocks, &job);
}

static void int8_forward(const Int8Product *p, const Parallel *parallel) { int8_product(p, 0, parallel); }
static void int8_backward(const Int8Product *p, const Parallel *parallel) { int8_product(p, 1, parallel); }

/* Causal attention in bfloat16 matrix tiles, forward and backward; scores, shares and sums in float32. Everything is
   made of products of 32 rows by 32 columns. The backward pass has keys as rows and queries as columns, so that the
   shares are at once the left operand of the key and value gradients; the query gradients come out transposed. */
#ifndef FLACUNA_ATTENTION_TILES_H
#define FLACUNA_ATTENTION_TILES_H
#include "amx.h"
#include "attention-rows.h"

#define TILE_BLOCK 32 /* rows, columns and depth of the smallest product */
#define TILE_VALUES (TILE_BLOCK * TILE_ROWS)
#define TILE_FORWARD_KEYS 256
#define TILE_BACKWARD_KEYS 128
#define TILE_BACKWARD_QUERIES 128

/* ---- products and layouts ------------------------------------------------------------------------------ */

/* C [32][32] = A B, added to C if so asked. A: 32 rows, depth steps of 32 values `a_step` apart. B: tiles
   [16 pairs of depth][16 columns][2], the right 16 columns `b_right` and depth steps `b_step` values further. */
typedef struct {
  float *c;
  int64_t c_row;
  const uint16_t *a;
  int64_t a_row, a_step;
  const uint16_t *b;
  int64_t b_right, b_step;
  int64_t steps;
  int add;
} TileProduct;

static void tile_product(const TileProduct *p) {
  const int64_t c_bytes = p->c_row * 4, a_bytes = p->a_row * 2;
  float *c = p->c, *below = c + TILE_ROWS * p->c_row;
  if (p->add) {
    tile_load(0, c, c_bytes);
    tile_load(1, c + TILE_ROWS, c_bytes);
    tile_load(2, below, c_bytes);
    tile_load(3, below + TILE_ROWS, c_bytes);
  } else {
    tile_zero(0);
    tile_zero(1);
    tile_zero(2);
    tile_zero(3);
  }
  for (int64_t k = 0; k < p->steps; k++) {
    const uint16_t *a = p->a + k * p->a_step, *b = p->b + k * p->b_step;
    tile_load(4, a, a_bytes);
    tile_load(6, b, TILE_BYTES);
    tile_load(7, b + p->b_right, TILE_BYTES);
    tile_load(5, a + TILE_ROWS * p->a_row, a_bytes);
    tile_dot_bfloat16(0, 4, 6);
    tile_dot_bfloat16(1, 4, 7);
    tile_dot_bfloat16(2, 5, 6);
    tile_dot_bfloat16(3, 5, 7);
  }
  tile_store(0, c, c_bytes);
  tile_store(1, c + TILE_ROWS, c_bytes);
  tile_store(2, below, c_bytes);
  tile_store(3, below + TILE_ROWS, c_bytes);
}

/* count: a multiple of 16 */
static inline void tile_round(const float *x, int64_t count, uint16_t *y) {
  for (int64_t i = 0; i < count; i += 16) {
    const __m256bh rounded = _mm512_cvtneps_pbh((__m512)load(x + i));
    memcpy(y + i, &rounded, sizeof rounded);
  }
}
/* Two rows of 16 values -> 16 pairs. */
static inline void tile_pair(const uint16_t *first, const uint16_t *second, uint16_t *pairs) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)first));
  const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)second));
  _mm512_storeu_si512(pairs, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}
/* 16 rows of 16 pairs, turned; steps in values. */
static inline void tile_turn(const uint16_t *from, int64_t from_step, uint16_t *to) {
  Floats square[LANES];
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) memcpy(&square[i], from + i * from_step, sizeof(Floats));
  transpose_square(square);
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) memcpy(to + i * 2 * LANES, &square[i], sizeof(Floats));
}

/* Layouts of 32 tokens of one head, `wide` (D rounded up to 32) values each: 32 * wide values, whichever layout.
   rows:    [32][wide]
   across:  B tiles of a product over D:      [token / 16][wide / 32][16 pairs of D][16 tokens][2]
   down:    B tiles of a product over tokens: [wide / 16][16 pairs of tokens][16 of D][2]
   columns: [wide][32 tokens] */
static void tile_rows_to_across(const uint16_t *rows, int64_t wide, uint16_t *across) {
  for (int64_t token = 0; token < TILE_BLOCK; token += TILE_ROWS)
    for (int64_t i = 0; i < wide; i += TILE_BLOCK, across += TILE_VALUES)
      tile_turn(rows + token * wide + i, wide, across);
}
static void tile_rows_to_down(const uint16_t *rows, int64_t wide, uint16_t *down) {
  for (int64_t i = 0; i < wide; i += TILE_ROWS)
    for (int64_t token = 0; token < TILE_BLOCK; token += 2, down += TILE_BLOCK)
      tile_pair(rows + token * wide + i, rows + (token + 1) * wide + i, down);
}
static void tile_down_to_columns(const uint16_t *down, int64_t wide, uint16_t *columns) {
  for (int64_t i = 0; i < wide / TILE_ROWS; i++)
    tile_turn(down + i * TILE_VALUES, TILE_BLOCK, columns + i * TILE_VALUES);
}

/* ---- what the tasks of a call share -------------------------------------------------------------------- */

/* Arrays of bfloat16 are [batch, heads, padded / 32][32 * wide] in the layout their name says. */
typedef struct {
  const Attention *p;
  int64_t padded, wide; /* length and head size, rounded up to 32 */
  uint16_t *key_across, *value_down;                                     /* forward */
  uint16_t *key_rows, *key_columns, *value_rows;                         /* backward, as are the following */
  uint16_t *query_across, *query_down, *d_mixed_across, *d_mixed_down;
  float *mixed_dots, *log_sums; /* [batch, heads, padded]: sum of mixed * d_mixed; log-sum-exp in units of log 2 */
  AttentionSegments segments;
  float *d_queries; /* [segments, batch, heads, padded / 32][wide][32] */
} TileAttention;

static TileAttention tile_attention_layout(const Attention *p, int backward, AttentionMemory *memory) {
  TileAttention call = {.p = p, .padded = round_up(p->length, TILE_BLOCK), .wide = round_up(p->head_size, TILE_BLOCK)};
  const int64_t query_rows = p->batch * p->heads * call.padded, query_size = query_rows * call.wide;
  const int64_t key_size = p->batch * p->key_value_heads * call.padded * call.wide;
  if (!backward) {
    call.key_across = attention_take(memory, key_size, sizeof(uint16_t));
    call.value_down = attention_take(memory, key_size, sizeof(uint16_t));
    return call;
  }
  call.segments = attention_segments(p, TILE_BACKWARD_KEYS);
  call.key_rows = attention_take(memory, key_size, sizeof(uint16_t));
  call.key_columns = attention_take(memory, key_size, sizeof(uint16_t));
  call.value_rows = attention_take(memory, key_size, sizeof(uint16_t));
  call.query_across = attention_take(memory, query_size, sizeof(uint16_t));
  call.query_down = attention_take(memory, query_size, sizeof(uint16_t));
  call.d_mixed_across = attention_take(memory, query_size, sizeof(uint16_t));
  call.d_mixed_down = attention_take(memory, query_size, sizeof(uint16_t));
  call.mixed_dots = attention_take(memory, query_rows, sizeof(float));
  call.log_sums = attention_take(memory, query_rows, sizeof(float));
  call.d_queries = attention_take(memory, call.segments.count * query_size, sizeof(float));
  return call;
}
static TileAttention tile_attention_call(const Attention *p, int backward) {
  AttentionMemory memory = {NULL, 0};
  tile_attention_layout(p, backward, &memory);
  memory = (AttentionMemory){scratch(ATTENTION_CALL_SLOT, memory.used), 0};
  return tile_attention_layout(p, backward, &memory);
}

/* 32 tokens from `first` on of one head, `step` apart, as rows, turned by position if `turned`, times scale; zeros where
   there is no value. */
static void tile_read(const TileAttention *call, const float *x, int64_t step, int64_t first, int turned, float scale,
                      uint16_t *rows) {
  const Attention *p = call->p;
  float row[256];
  memset(rows, 0, TILE_BLOCK * call->wide * sizeof(uint16_t));
  for (int64_t t = 0; t < attention_min(p->length - first, TILE_BLOCK); t++) {
    const float *from = x + t * step;
    if (turned) attention_rotate(p, first + t, 1, scale, from, row);
    tile_round(turned ? row : from, p->head_size, rows + t * call->wide);
  }
}

/* 32 tokens of one key/value head. */
static void tile_attention_prepare_keys(void *argument, size_t index) {
  const TileAttention *call = argument;
  const Attention *p = call->p;
  const int64_t wide = call->wide, blocks = call->padded / TILE_BLOCK, head = index / blocks % p->key_value_heads;
  const int64_t batch = index / blocks / p->key_value_heads, first = index % blocks * TILE_BLOCK;
  const int64_t size = TILE_BLOCK * wide, at = index * size;
  const int64_t from = attention_key_at(p, batch, first, head);
  uint16_t *rows = scratch(ATTENTION_TASK_SLOT, 2 * size * sizeof(uint16_t)), *down = rows + size;
  tile_read(call, p->key + from, p->of.key_step, first, 1, 1, rows);
  if (call->key_across != NULL) {
    tile_rows_to_across(rows, wide, call->key_across + at);
    tile_read(call, p->value + from, p->of.key_step, first, 0, 1, rows);
    tile_rows_to_down(rows, wide, call->value_down + at);
    return;
  }
  memcpy(call->key_rows + at, rows, size * sizeof(uint16_t));
  tile_rows_to_down(rows, wide, down);
  tile_down_to_columns(down, wide, call->key_columns + at);
  tile_read(call, p->value + from, p->of.key_step, first, 0, 1, call->value_rows + at);
}

/* ---- forward ------------------------------------------------------------------------------------------- */

/* What a task of the forward pass works in, for 32 queries. */
typedef struct {
  float *mixed, *scores, *sums, *largest; /* [32][wide], [32][TILE_FORWARD_KEYS], [32][LANES], [32] */
  uint16_t *queries, *shares;             /* [32][wide], [32][TILE_FORWARD_KEYS] */
} TileForwardWork;

static TileForwardWork tile_forward_work(int64_t wide) {
  const int64_t rows = TILE_BLOCK, floats = wide + TILE_FORWARD_KEYS + LANES + 1;
  TileForwardWork work = {.mixed = scratch(ATTENTION_TASK_SLOT, rows * (floats * sizeof(float) +
                                                                       (wide + TILE_FORWARD_KEYS) * sizeof(uint16_t)))};
  work.scores = work.mixed + rows * wide;
  work.sums = work.scores + rows * TILE_FORWARD_KEYS;
  work.largest = work.sums + rows * LANES;
  work.queries = (uint16_t *)(work.largest + rows);
  work.shares = work.queries + rows * wide;
  memset(work.mixed, 0, rows * wide * sizeof(float));
  memset(work.sums, 0, rows * LANES * sizeof(float));
  for (int64_t row = 0; row < rows; row++) work.largest[row] = -FLT_MAX;
  return work;
}

/* Scores, shares, and what they mix of the values, for one block. */
static void tile_attention_mix(const TileAttention *call, const AttentionBlock *block, const TileForwardWork *work) {
  const Attention *p = call->p;
  const int64_t wide = call->wide, keys = round_up(block->keys, TILE_BLOCK);
  const int64_t head = block->batch * p->key_value_heads + block->head / (p->heads / p->key_value_heads);
  const int64_t at = (head * call->padded + block->first_key) * wide;
  for (int64_t key = 0; key < keys; key += TILE_BLOCK)
    tile_product(&(TileProduct){.c = work->scores + key, .c_row = TILE_FORWARD_KEYS, .a = work->queries, .a_row = wide,
                                .a_step = TILE_BLOCK, .b = call->key_across + at + key * wide,
                                .b_right = TILE_ROWS * wide, .b_step = TILE_VALUES, .steps = wide / TILE_BLOCK});
  for (int64_t row = 0; row < TILE_BLOCK; row++) {
    float *scores = work->scores + row * TILE_FORWARD_KEYS;
    if (row < block->queries) {
      const float factor = attention_soften(scores, attention_keys_seen(p, block, row, row + 1), keys,
                                            work->largest + row, work->sums + row * LANES);
      float *mixed = work->mixed + row * wide;
      if (factor != 1.0f)
        for (int64_t i = 0; i < wide; i += LANES) store(mixed + i, load(mixed + i) * splat(factor));
    }
    tile_round(scores, keys, work->shares + row * TILE_FORWARD_KEYS);
  }
  for (int64_t i = 0; i < wide; i += TILE_BLOCK)
    tile_product(&(TileProduct){.c = work->mixed + i, .c_row = wide, .a = work->shares, .a_row = TILE_FORWARD_KEYS,
                                .a_step = TILE_BLOCK, .b = call->value_down + at + i * TILE_BLOCK,
                                .b_right = TILE_VALUES, .b_step = TILE_BLOCK * wide, .steps = keys / TILE_BLOCK,
                                .add = 1});
}

/* 32 queries of one head, the last first: they see the most keys. */
static void tile_attention_forward_task(void *argument, size_t index) {
  const TileAttention *call = argument;
  const Attention *p = call->p;
  const int64_t rows = p->batch * p->heads, blocks = call->padded / TILE_BLOCK;
  AttentionBlock block = {.batch = index % rows / p->heads, .head = index % p->heads};
  block.first_query = (blocks - 1 - (int64_t)index / rows) * TILE_BLOCK;
  block.queries = attention_min(p->length - block.first_query, TILE_BLOCK);
  const TileForwardWork work = tile_forward_work(call->wide);
  tile_config();
  tile_read(call, p->query + attention_query_at(p, block.batch, block.first_query, block.head), p->of.query_step,
            block.first_query, 1, attention_scale(p) * LOG2_E, work.queries);
  const int64_t end = block.first_query + block.queries;
  block.first_key = attention_first_key(p, block.batch, block.first_query) / TILE_BLOCK * TILE_BLOCK;
  for (; block.first_key < end; block.first_key += TILE_FORWARD_KEYS) {
    block.keys = attention_min(end - block.first_key, TILE_FORWARD_KEYS);
    tile_attention_mix(call, &block, &work);
  }
  tile_release();
  for (int64_t row = 0; row < block.queries; row++)
    attention_write_mixed(p, &block, row, work.mixed + row * call->wide, work.largest[row], work.sums + row * LANES);
}

static void tile_attention_forward(const Attention *p, const Parallel *parallel) {
  TileAttention call = tile_attention_call(p, 0);
  const int64_t blocks = call.padded / TILE_BLOCK;
  parallel_for(parallel, tile_attention_prepare_keys, p->batch * p->key_value_heads * blocks, &call);
  parallel_for(parallel, tile_attention_forward_task, p->batch * p->heads * blocks, &call);
}

/* ---- backward ------------------------------------------------------------------------------------------ */

/* 32 tokens of one query head. */
static void tile_attention_prepare_queries(void *argument, size_t index) {
  const TileAttention *call = argument;
  const Attention *p = call->p;
  const int64_t wide = call->wide, blocks = call->padded / TILE_BLOCK, head = index / blocks % p->heads;
  const int64_t batch = index / blocks / p->heads, first = index % blocks * TILE_BLOCK;
  const int64_t at = index * TILE_BLOCK * wide, from = attention_query_at(p, batch, first, head);
  uint16_t *rows = scratch(ATTENTION_TASK_SLOT, TILE_BLOCK * wide * sizeof(uint16_t));
  tile_read(call, p->query + from, p->of.query_step, first, 1, attention_scale(p) * LOG2_E, rows);
  tile_rows_to_across(rows, wide, call->query_across + at);
  tile_rows_to_down(rows, wide, call->query_down + at);
  tile_read(call, p->d_mixed + from, p->of.query_step, first, 0, 1, rows);
  tile_rows_to_across(rows, wide, call->d_mixed_across + at);
  tile_rows_to_down(rows, wide, call->d_mixed_down + at);
  for (int64_t t = 0; t < TILE_BLOCK; t++) {
    const int64_t token = first + t, there = token < p->length;
    const int64_t row = index * TILE_BLOCK + t;
    call->mixed_dots[row] = there ? attention_mixed_dot(p, batch, token, head) : 0;
    call->log_sums[row] = there ? p->log_sum_exp[attention_log_sum_at(p, batch, token, head)] * LOG2_E : 0;
  }
}

/* What a task of the backward pass works in, for one block of keys. */
typedef struct {
  float *shares, *d_scores;               /* [keys][TILE_BACKWARD_QUERIES] */
  uint16_t *round_shares, *round_d_scores; /* the same in bfloat16 */
  uint16_t *d_score_tiles;                /* B tiles [keys / 32][queries / 16][16 pairs of keys][16 queries][2] */
  float *d_keys, *d_values;               /* [keys][wide] */
  int64_t query_ends[TILE_BACKWARD_KEYS]; /* one past the last query that sees each key */
} TileBackwardWork;

static void tile_backward_work(TileBackwardWork *work, int64_t wide) {
  const int64_t size = TILE_BACKWARD_KEYS * TILE_BACKWARD_QUERIES;
  work->shares = scratch(ATTENTION_TASK_SLOT, (2 * size + 2 * TILE_BACKWARD_KEYS * wide) * sizeof(float) +
                                                  3 * size * sizeof(uint16_t));
  work->d_scores = work->shares + size;
  work->d_keys = work->d_scores + size;
  work->d_values = work->d_keys + TILE_BACKWARD_KEYS * wide;
  work->round_shares = (uint16_t *)(work->d_values + TILE_BACKWARD_KEYS * wide);
  work->round_d_scores = work->round_shares + size;
  work->d_score_tiles = work->round_d_scores + size;
}

static inline AttentionRange tile_round_range(AttentionRange range) {
  return (AttentionRange){range.low / TILE_BLOCK * TILE_BLOCK, round_up(range.high, TILE_BLOCK)};
}

/* One key of the block: scores -> shares, d_shares -> d_scores = shares * (d_shares - dot), 0 for queries that do not
   see it; rounded. The last two point at the block's queries. */
static void tile_share_gradients(const TileBackwardWork *work, int64_t key, AttentionRange range, int64_t queries,
                                 const float *log_sums, const float *dots) {
  float *shares = work->shares + key * TILE_BACKWARD_QUERIES, *d_scores = work->d_scores + key * TILE_BACKWARD_QUERIES;
  for (int64_t j = range.low / LANES * LANES; j < range.high; j += LANES) {
    const Floats share = exp2_floats(load(shares + j) - load(log_sums + j));
    store(shares + j, share);
    store(d_scores + j, share * (load(d_scores + j) - load(dots + j)));
  }
  attention_clear_outside(shares, range, queries);
  attention_clear_outside(d_scores, range, queries);
  tile_round(shares, queries, work->round_shares + key * TILE_BACKWARD_QUERIES);
  tile_round(d_scores, queries, work->round_d_scores + key * TILE_BACKWARD_QUERIES);
}

/* 32 keys of the block, from `key`: their part of the key and value gradients, and their gradients of the scores. */
static void tile_key_gradients(const TileAttention *call, const AttentionBlock *block, TileBackwardWork *work,
                               int64_t key) {
  const Attention *p = call->p;
  const int64_t wide = call->wide, queries = round_up(block->queries, TILE_BLOCK);
  const int64_t key_head = block->batch * p->key_value_heads + block->head / (p->heads / p->key_value_heads);
  const int64_t query_row = (block->batch * p->heads + block->head) * call->padded + block->first_query;
  const int64_t key_at = (key_head * call->padded + block->first_key + key) * wide, query_at = query_row * wide;
  const int64_t last = attention_min(key + TILE_BLOCK, block->keys) - 1;
  const AttentionRange seeing =
      tile_round_range(attention_clamp(block->first_key + key - block->first_query,
                                       work->query_ends[last] - block->first_query, block->queries));
  for (int64_t j = seeing.low; j < seeing.high; j += TILE_BLOCK) {
    TileProduct product = {.c = work->shares + key * TILE_BACKWARD_QUERIES + j, .c_row = TILE_BACKWARD_QUERIES,
                           .a = call->key_rows + key_at, .a_row = wide, .a_step = TILE_BLOCK,
                           .b = call->query_across + query_at + j * wide, .b_right = TILE_ROWS * wide,
                           .b_step = TILE_VALUES, .steps = wide / TILE_BLOCK};
    tile_product(&product);
    product.c = work->d_scores + key * TILE_BACKWARD_QUERIES + j;
    product.a = call->value_rows + key_at;
    product.b = call->d_mixed_across + query_at + j * wide;
    tile_product(&product);
  }
  for (int64_t row = key; row < key + TILE_BLOCK; row++) {
    AttentionRange range = {0, 0};
    if (row < block->keys)
      range = attention_clamp(block->first_key + row - block->first_query,
                              work->query_ends[row] - block->first_query, block->queries);
    tile_share_gradients(work, row, range, queries, call->log_sums + query_row, call->mixed_dots + query_row);
  }
  for (int64_t row = key; row < key + TILE_BLOCK; row += 2)
    for (int64_t j = 0; j < queries; j += TILE_ROWS) {
      const uint16_t *rows = work->round_d_scores + row * TILE_BACKWARD_QUERIES + j;
      tile_pair(rows, rows + TILE_BACKWARD_QUERIES,
                work->d_score_tiles + key * TILE_BACKWARD_QUERIES + j / TILE_ROWS * TILE_VALUES +
                    (row - key) / 2 * TILE_BLOCK);
    }
  for (int64_t i = 0; i < wide && seeing.low < seeing.high; i += TILE_BLOCK) {
    const int64_t down = query_at + seeing.low * wide + i * TILE_BLOCK;
    TileProduct product = {.c = work->d_keys + key * wide + i, .c_row = wide,
                           .a = work->round_d_scores + key * TILE_BACKWARD_QUERIES + seeing.low,
                           .a_row = TILE_BACKWARD_QUERIES, .a_step = TILE_BLOCK, .b = call->query_down + down,
                           .b_right = TILE_VALUES, .b_step = TILE_BLOCK * wide,
                           .steps = (seeing.high - seeing.low) / TILE_BLOCK, .add = 1};
    tile_product(&product);
    product.c = work->d_values + key * wide + i;
    product.a = work->round_shares + key * TILE_BACKWARD_QUERIES + seeing.low;
    product.b = call->d_mixed_down + down;
    tile_product(&product);
  }
}

/* The block's part of the query gradients, [query / 32][wide][32]. */
static void tile_query_gradients(const TileAttention *call, const AttentionBlock *block, const TileBackwardWork *work,
                                 float *d_queries) {
  const Attention *p = call->p;
  const int64_t wide = call->wide;
  const int64_t key_head = block->batch * p->key_value_heads + block->head / (p->heads / p->key_value_heads);
  for (int64_t j = 0; j < block->queries; j += TILE_BLOCK) {
    const AttentionRange seen =
        tile_round_range(attention_keys_seen(p, block, j, attention_min(j + TILE_BLOCK, block->queries)));
    if (seen.low >= seen.high) continue;
    const uint16_t *columns = call->key_columns + (key_head * call->padded + block->first_key + seen.low) * wide;
    for (int64_t i = 0; i < wide; i += TILE_BLOCK)
      tile_product(&(TileProduct){.c = d_queries + j * wide + i * TILE_BLOCK, .c_row = TILE_BLOCK,
                                  .a = columns + i * TILE_BLOCK, .a_row = TILE_BLOCK, .a_step = TILE_BLOCK * wide,
                                  .b = work->d_score_tiles + seen.low * TILE_BACKWARD_QUERIES + j * TILE_BLOCK,
                                  .b_right = TILE_VALUES, .b_step = TILE_BLOCK * TILE_BACKWARD_QUERIES,
                                  .steps = (seen.high - seen.low) / TILE_BLOCK, .add = 1});
  }
}

/* One segment of the keys of one key/value head against all queries that see them, the first segments first. */
static void tile_attention_backward_task(void *argument, size_t index) {
  const TileAttention *call = argument;
  const Attention *p = call->p;
  const int64_t wide = call->wide, rows = p->batch * p->key_value_heads, group = p->heads / p->key_value_heads;
  const int64_t segment = index / rows, batch = index % rows / p->key_value_heads, head = index % p->key_value_heads;
  const AttentionRange touched = tile_round_range(attention_segment_queries(p, call->segments, segment, batch));
  float *d_queries = call->d_queries + (segment * p->batch + batch) * p->heads * call->padded * wide;
  for (int64_t h = head * group; h < (head + 1) * group; h++)
    memset(d_queries + (h * call->padded + touched.low) * wide, 0, (touched.high - touched.low) * wide * sizeof(float));

  TileBackwardWork work;
  tile_backward_work(&work, wide);
  tile_config();
  AttentionBlock block = {.batch = batch, .first_key = segment * call->segments.keys};
  const int64_t end = attention_min(block.first_key + call->segments.keys, p->length);
  for (; block.first_key < end; block.first_key += TILE_BACKWARD_KEYS) {
    block.keys = attention_min(end - block.first_key, TILE_BACKWARD_KEYS);
    for (int64_t key = 0; key < block.keys; key++)
      work.query_ends[key] = attention_query_end(p, batch, block.first_key + key);
    const int64_t query_end = work.query_ends[block.keys - 1];
    memset(work.d_keys, 0, 2 * TILE_BACKWARD_KEYS * wide * sizeof(float));
    for (block.head = head * group; block.head < (head + 1) * group; block.head++)
      for (block.first_query = block.first_key; block.first_query < query_end;
           block.first_query += TILE_BACKWARD_QUERIES) {
        block.queries = attention_min(query_end - block.first_query, TILE_BACKWARD_QUERIES);
        for (int64_t key = 0; key < block.keys; key += TILE_BLOCK) tile_key_gradients(call, &block, &work, key);
        tile_query_gradients(call, &block, &work, d_queries + (block.head * call->padded + block.first_query) * wide);
      }
    for (int64_t key = 0; key < block.keys; key++)
      attention_write_key_gradients(p, &block, head, key, work.d_keys + key * wide, work.d_values + key * wide);
  }
  tile_release();
}

/* 32 tokens of one query head: the segments' gradients summed in order, transposed, turned back and scaled. */
static void tile_attention_finish_queries(void *argument, size_t index) {
  const TileAttention *call = argument;
  const Attention *p = call->p;
  const int64_t wide = call->wide, blocks = call->padded / TILE_BLOCK, head = index / blocks % p->heads;
  const int64_t batch = index / blocks / p->heads, first = index % blocks * TILE_BLOCK, size = TILE_BLOCK * wide;
  const int64_t from = attention_first_key(p, batch, first) / call->segments.keys, to = first / call->segments.keys;
  float *rows = scratch(ATTENTION_TASK_SLOT, size * sizeof(float));
  for (int64_t token = 0; token < TILE_BLOCK; token += LANES)
    for (int64_t i = 0; i < wide; i += LANES) {
      Floats square[LANES] = {};
      for (int64_t segment = from; segment <= to; segment++) {
        const int64_t segment_row = segment * p->batch * p->heads * blocks + (int64_t)index;
        const float *part = call->d_queries + segment_row * size + i * TILE_BLOCK + token;
        for (int j = 0; j < LANES; j++) square[j] += load(part + j * TILE_BLOCK);
      }
      transpose_square(square);
      for (int j = 0; j < LANES; j++) store(rows + (token + j) * wide + i, square[j]);
    }
  for (int64_t t = 0; t < attention_min(p->length - first, TILE_BLOCK); t++)
    attention_rotate(p, first + t, -1, attention_scale(p), rows + t * wide,
                     p->d_query + attention_query_at(p, batch, first + t, head));
}

static void tile_attention_backward(const Attention *p, const Parallel *parallel) {
  TileAttention call = tile_attention_call(p, 1);
  const int64_t blocks = call.padded / TILE_BLOCK;
  parallel_for(parallel, tile_attention_prepare_keys, p->batch * p->key_value_heads * blocks, &call);
  parallel_for(parallel, tile_attention_prepare_queries, p->batch * p->heads * blocks, &call);
  parallel_for(parallel, tile_attention_backward_task, p->batch * p->key_value_heads * call.segments.count, &call);
  parallel_for(parallel, tile_attention_finish_queries, p->batch * p->heads * blocks, &call);
}

#endif

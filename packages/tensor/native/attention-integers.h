/* Causal attention whose products are of 16-bit integers, for CPUs that multiply these faster than float32. Blocks as in
   attention-float.h; scores, shares, and the sums over blocks in float32. Each operand of a product is rounded to about
   12 bits, with scales of its own for rows or columns (attention-integer-product.h). */
#ifndef FLACUNA_ATTENTION_INTEGERS_H
#define FLACUNA_ATTENTION_INTEGERS_H
#include "attention-float.h"
#include "attention-integer-product.h"

#define INTEGER_FORWARD_QUERIES 48
#define INTEGER_FORWARD_KEYS 128 /* keys of a block, and tokens that share the scales of `down` arrays */
#define INTEGER_BACKWARD_KEYS 128
#define INTEGER_BACKWARD_QUERIES 64 /* divides the keys, so that blocks of queries begin at its multiples */

/* Tokens of one head as operands, `wide` is D rounded up to 32; only what a call needs is there.
   rows:   [token][wide / 2], a scale per token
   panels: the same, turned: [token / STRIP_COLUMNS][wide / 2][STRIP_COLUMNS]
   down:   [token / 2][D], pairs of tokens; a scale per block of tokens and column, [block][D] */
typedef struct {
  int32_t *rows, *panels, *down;
  float *row_scales, *down_scales;
} IntegerOperand;

/* What the tasks of one call share: operands of [batch, heads, padded] tokens. */
typedef struct {
  const Attention *p;
  int64_t wide;
  int64_t key_tokens, query_tokens;   /* the length, rounded up to blocks of so many */
  int64_t key_block, query_block;
  IntegerOperand keys, values;        /* of key/value heads */
  IntegerOperand queries, d_mixed;    /* backward only: queries rotated and scaled */
  float *mixed_dots;                  /* [batch, heads, length]: sum of mixed * d_mixed */
  AttentionSegments segments;
  float *d_queries;                   /* [segments, batch, heads, length, D] */
} IntegerAttention;

enum { WITH_ROWS = 1, WITH_PANELS = 2, WITH_DOWN = 4 };
static IntegerOperand integer_operand(AttentionMemory *memory, const IntegerAttention *call, int64_t heads,
                                      int64_t tokens, int64_t block, int with) {
  const int64_t all = call->p->batch * heads * tokens, size = call->p->head_size;
  IntegerOperand operand = {NULL};
  operand.row_scales = attention_take(memory, all, sizeof(float));
  if (with & WITH_ROWS) operand.rows = attention_take(memory, all * call->wide / 2, sizeof(int32_t));
  if (with & WITH_PANELS) operand.panels = attention_take(memory, all * call->wide / 2, sizeof(int32_t));
  if (with & WITH_DOWN) {
    operand.down = attention_take(memory, all / 2 * size, sizeof(int32_t));
    operand.down_scales = attention_take(memory, all / block * size, sizeof(float));
  }
  return operand;
}

static IntegerAttention integer_attention_layout(const Attention *p, int backward, AttentionMemory *memory) {
  IntegerAttention call = {.p = p, .wide = round_up(p->head_size, 2 * LANES)};
  call.key_block = backward ? INTEGER_BACKWARD_KEYS : INTEGER_FORWARD_KEYS;
  call.query_block = INTEGER_BACKWARD_QUERIES;
  call.key_tokens = round_up(p->length, call.key_block);
  call.query_tokens = round_up(p->length, call.query_block);
  const int64_t kv = p->key_value_heads, query_rows = p->batch * p->heads * p->length;
  if (!backward) {
    call.keys = integer_operand(memory, &call, kv, call.key_tokens, call.key_block, WITH_PANELS);
    call.values = integer_operand(memory, &call, kv, call.key_tokens, call.key_block, WITH_DOWN);
    return call;
  }
  call.keys = integer_operand(memory, &call, kv, call.key_tokens, call.key_block, WITH_PANELS | WITH_DOWN);
  call.values = integer_operand(memory, &call, kv, call.key_tokens, call.key_block, WITH_PANELS);
  call.queries = integer_operand(memory, &call, p->heads, call.query_tokens, call.query_block, WITH_ROWS | WITH_DOWN);
  call.d_mixed = integer_operand(memory, &call, p->heads, call.query_tokens, call.query_block, WITH_ROWS | WITH_DOWN);
  call.segments = attention_segments(p, INTEGER_BACKWARD_KEYS);
  call.mixed_dots = attention_take(memory, query_rows, sizeof(float));
  call.d_queries = attention_take(memory, call.segments.count * query_rows * p->head_size, sizeof(float));
  return call;
}
static IntegerAttention integer_attention_call(const Attention *p, int backward) {
  AttentionMemory memory = {NULL, 0};
  integer_attention_layout(p, backward, &memory);
  memory = (AttentionMemory){scratch(ATTENTION_CALL_SLOT, memory.used), 0};
  return integer_attention_layout(p, backward, &memory);
}

/* `tokens` tokens of one head as the operand of a block of `block`; at: the block's first of all tokens of all heads;
   `turned`: [block][wide / 2] to work in. */
static void integer_prepare(const IntegerAttention *call, const IntegerOperand *operand, const float *x, int64_t x_row,
                            int64_t tokens, int64_t block, int64_t at, int32_t *turned) {
  const int64_t size = call->p->head_size, depth = call->wide / 2;
  if (operand->rows != NULL || operand->panels != NULL) {
    int32_t *rows = operand->rows != NULL ? operand->rows + at * depth : turned;
    for (int64_t t = 0; t < tokens; t++)
      operand->row_scales[at + t] = integer_row(x + t * x_row, size, call->wide, integer_bound(size), rows + t * depth);
    memset(operand->row_scales + at + tokens, 0, (block - tokens) * sizeof(float));
    memset(rows + tokens * depth, 0, (block - tokens) * depth * sizeof(int32_t));
    if (operand->panels != NULL)
      for (int64_t t = 0; t < block; t += STRIP_COLUMNS)
        turn_pairs(rows + t * depth, depth, operand->panels + (at + t) * depth);
  }
  if (operand->down != NULL)
    integer_columns(x, x_row, tokens, size, operand->down + at / 2 * size, operand->down_scales + at / block * size);
}

/* One block of keys and values of one head. */
static void integer_prepare_keys(void *argument, size_t index) {
  const IntegerAttention *call = argument;
  const Attention *p = call->p;
  const int64_t size = p->head_size, block = call->key_block, blocks = call->key_tokens / block;
  const int64_t batch = index / blocks / p->key_value_heads, head = index / blocks % p->key_value_heads;
  const int64_t first = index % blocks * block, tokens = attention_min(p->length - first, block);
  int32_t *turned = scratch(ATTENTION_TASK_SLOT, block * (call->wide / 2 + size) * sizeof(float));
  float *keys = (float *)(turned + block * call->wide / 2);
  for (int64_t t = 0; t < tokens; t++)
    attention_rotate(p, first + t, 1, 1, p->key + attention_key_at(p, batch, first + t, head), keys + t * size);
  integer_prepare(call, &call->keys, keys, size, tokens, block, index * block, turned);
  integer_prepare(call, &call->values, p->value + attention_key_at(p, batch, first, head), p->of.key_step, tokens, block,
                  index * block, turned);
}

/* ---- forward ------------------------------------------------------------------------------------------- */

/* What a task works in, for one block of queries. */
typedef struct {
  int32_t *queries, *shares;              /* pairs: [queries][wide / 2], [queries][INTEGER_FORWARD_KEYS / 2] */
  float *query_scales, *share_scales;     /* [queries] */
  float *mixed, *scores, *sums, *largest; /* [queries][D], [queries][INTEGER_FORWARD_KEYS], [queries][LANES], one */
} IntegerForwardWork;

static IntegerForwardWork integer_forward_work(int64_t size, int64_t wide) {
  const int64_t rows = INTEGER_FORWARD_QUERIES, keys = INTEGER_FORWARD_KEYS;
  IntegerForwardWork work;
  const int64_t values = rows * (wide / 2 + keys / 2 + size + keys + LANES + 3); /* each part a multiple of 64 bytes */
  AttentionMemory memory = {scratch(ATTENTION_TASK_SLOT, values * sizeof(float)), 0};
  work.queries = attention_take(&memory, rows * wide / 2, sizeof(int32_t));
  work.shares = attention_take(&memory, rows * keys / 2, sizeof(int32_t));
  work.mixed = attention_take(&memory, rows * size, sizeof(float));
  work.scores = attention_take(&memory, rows * keys, sizeof(float));
  work.sums = attention_take(&memory, rows * LANES, sizeof(float));
  work.largest = attention_take(&memory, rows, sizeof(float));
  work.query_scales = attention_take(&memory, rows, sizeof(float));
  work.share_scales = attention_take(&memory, rows, sizeof(float));
  memset(work.mixed, 0, rows * size * sizeof(float));
  memset(work.sums, 0, rows * LANES * sizeof(float));
  for (int64_t row = 0; row < rows; row++) {
    work.largest[row] = -FLT_MAX;
    work.share_scales[row] = 1 / integer_bound(INTEGER_FORWARD_KEYS);
  }
  return work;
}

/* As attention_soften, with the shares as integers. */
static inline float integer_soften(float *scores, AttentionRange range, float *largest, float *sums, int32_t *shares) {
  attention_fill_edges(scores, range, -INFINITY);
  const int64_t begin = range.low / LANES * LANES, end = round_up(range.high, LANES);
  const Floats bound = splat(integer_bound(INTEGER_FORWARD_KEYS));
  Floats top = splat(*largest), sum = {};
  for (int64_t j = begin; j < range.high; j += LANES) top = max_floats(top, load(scores + j));
  const float now = attention_max_lanes(top);
  for (int64_t j = begin; j < range.high; j += LANES) {
    const Floats share = share_of_score(load(scores + j) - splat(now));
    sum += share;
    store_integers(shares + j / 2, share * bound);
  }
  const float factor = exp2f(*largest - now);
  memset(shares, 0, begin * sizeof(int16_t));
  memset(shares + end / 2, 0, (INTEGER_FORWARD_KEYS - end) * sizeof(int16_t));
  store(sums, load(sums) * splat(factor) + sum);
  *largest = now;
  return factor;
}

/* Scores, shares, and what they mix of the values, for one block. */
static void integer_attention_mix(const IntegerAttention *call, const AttentionBlock *block,
                                  const IntegerForwardWork *work) {
  const Attention *p = call->p;
  const int64_t size = p->head_size, depth = call->wide / 2, head = block->head / (p->heads / p->key_value_heads);
  const int64_t at = (block->batch * p->key_value_heads + head) * call->key_tokens + block->first_key;
  AttentionRange strips[INTEGER_FORWARD_QUERIES / STRIP_ROWS];
  for (int64_t row = 0; row < block->queries; row += STRIP_ROWS)
    strips[row / STRIP_ROWS] =
        attention_keys_seen(p, block, row, attention_min(row + STRIP_ROWS, block->queries));
  pair_product_of_panels(&(PairProduct){.a = work->queries, .a_row = depth, .a_depth = 1, .pairs = depth,
                                        .row_scale = work->query_scales, .b = call->keys.panels + at * depth,
                                        .column_scale = call->keys.row_scales + at, .c = work->scores,
                                        .c_row = INTEGER_FORWARD_KEYS},
                         block->queries, block->keys, strips);
  for (int64_t row = 0; row < block->queries; row++) {
    const float factor = integer_soften(work->scores + row * INTEGER_FORWARD_KEYS,
                                        attention_keys_seen(p, block, row, row + 1), work->largest + row,
                                        work->sums + row * LANES, work->shares + row * INTEGER_FORWARD_KEYS / 2);
    float *mixed = work->mixed + row * size;
    if (factor == 1.0f) continue;
    for (int64_t i = 0; i < size; i += LANES) store(mixed + i, load(mixed + i) * splat(factor));
  }
  pair_product_over_ranges(&(PairProduct){.a = work->shares, .a_row = INTEGER_FORWARD_KEYS / 2, .a_depth = 1,
                                          .row_scale = work->share_scales, .b = call->values.down + at / 2 * size,
                                          .b_row = size,
                                          .column_scale = call->values.down_scales + at / call->key_block * size,
                                          .c = work->mixed, .c_row = size},
                           block->queries, size, strips);
}

/* One block of queries of one head, the last blocks first: they see the most keys. */
static void integer_attention_forward_task(void *argument, size_t index) {
  const IntegerAttention *call = argument;
  const Attention *p = call->p;
  const int64_t size = p->head_size, depth = call->wide / 2, rows = p->batch * p->heads;
  const int64_t blocks = (p->length + INTEGER_FORWARD_QUERIES - 1) / INTEGER_FORWARD_QUERIES;
  AttentionBlock block = {.batch = index % rows / p->heads, .head = index % p->heads};
  block.first_query = (blocks - 1 - (int64_t)index / rows) * INTEGER_FORWARD_QUERIES;
  block.queries = attention_min(p->length - block.first_query, INTEGER_FORWARD_QUERIES);
  const IntegerForwardWork work = integer_forward_work(size, call->wide);
  float query[256];
  for (int64_t row = 0; row < block.queries; row++) {
    const int64_t token = block.first_query + row;
    attention_rotate(p, token, 1, attention_scale(p) * LOG2_E,
                     p->query + attention_query_at(p, block.batch, token, block.head), query);
    work.query_scales[row] = integer_row(query, size, call->wide, integer_bound(size), work.queries + row * depth);
  }
  const int64_t end = block.first_query + block.queries;
  block.first_key =
      attention_first_key(p, block.batch, block.first_query) / INTEGER_FORWARD_KEYS * INTEGER_FORWARD_KEYS;
  for (; block.first_key < end; block.first_key += INTEGER_FORWARD_KEYS) {
    block.keys = attention_min(end - block.first_key, INTEGER_FORWARD_KEYS);
    integer_attention_mix(call, &block, &work);
  }
  for (int64_t row = 0; row < block.queries; row++)
    attention_write_mixed(p, &block, row, work.mixed + row * size, work.largest[row], work.sums + row * LANES);
}

static void integer_attention_forward(const Attention *p, const Parallel *parallel) {
  IntegerAttention call = integer_attention_call(p, 0);
  const int64_t blocks = (p->length + INTEGER_FORWARD_QUERIES - 1) / INTEGER_FORWARD_QUERIES;
  parallel_for(parallel, integer_prepare_keys, p->batch * p->key_value_heads * (call.key_tokens / call.key_block),
               &call);
  parallel_for(parallel, integer_attention_forward_task, p->batch * p->heads * blocks, &call);
}

/* ---- backward ------------------------------------------------------------------------------------------ */

/* One block of queries and cotangents of one head. */
static void integer_prepare_queries(void *argument, size_t index) {
  const IntegerAttention *call = argument;
  const Attention *p = call->p;
  const int64_t size = p->head_size, block = call->query_block, blocks = call->query_tokens / block;
  const int64_t batch = index / blocks / p->heads, head = index / blocks % p->heads, row = index / blocks;
  const int64_t first = index % blocks * block, tokens = attention_min(p->length - first, block);
  float *queries = scratch(ATTENTION_TASK_SLOT, block * size * sizeof(float));
  for (int64_t t = 0; t < tokens; t++) {
    call->mixed_dots[row * p->length + first + t] = attention_mixed_dot(p, batch, first + t, head);
    attention_rotate(p, first + t, 1, attention_scale(p) * LOG2_E,
                     p->query + attention_query_at(p, batch, first + t, head), queries + t * size);
  }
  integer_prepare(call, &call->queries, queries, size, tokens, block, index * block, NULL);
  integer_prepare(call, &call->d_mixed, p->d_mixed + attention_query_at(p, batch, first, head), p->of.query_step, tokens,
                  block, index * block, NULL);
}

/* What a task works in. Pairs are of keys, [queries][keys / 2], or of queries, [queries / 2][keys]. */
typedef struct {
  float *shares, *d_scores;                            /* [queries][keys] */
  int32_t *d_score_rows, *share_pairs, *d_score_pairs; /* pairs of keys; pairs of queries, twice */
  float *row_scales, *share_scales, *d_score_scales;   /* of the three: [queries], [keys], [keys] */
  float *d_keys, *d_values;                            /* [keys][D] */
} IntegerBackwardWork;

static IntegerBackwardWork integer_backward_work(int64_t size) {
  const int64_t queries = INTEGER_BACKWARD_QUERIES, keys = INTEGER_BACKWARD_KEYS, scores = queries * keys;
  IntegerBackwardWork work;
  const int64_t values = 2 * scores + 3 * scores / 2 + queries + 2 * keys + 2 * keys * size;
  AttentionMemory memory = {scratch(ATTENTION_TASK_SLOT, values * sizeof(float)), 0};
  work.shares = attention_take(&memory, scores, sizeof(float));
  work.d_scores = attention_take(&memory, scores, sizeof(float));
  work.d_score_rows = attention_take(&memory, scores / 2, sizeof(int32_t));
  work.share_pairs = attention_take(&memory, scores / 2, sizeof(int32_t));
  work.d_score_pairs = attention_take(&memory, scores / 2, sizeof(int32_t));
  work.row_scales = attention_take(&memory, queries, sizeof(float));
  work.share_scales = attention_take(&memory, keys, sizeof(float));
  work.d_score_scales = attention_take(&memory, keys, sizeof(float));
  work.d_keys = attention_take(&memory, keys * size, sizeof(float));
  work.d_values = attention_take(&memory, keys * size, sizeof(float));
  return work;
}

/* Lanes of the vector at `from` that are in the range. */
static inline __mmask16 integer_lanes(AttentionRange range, int64_t from) {
  const int64_t low = attention_min(attention_max(range.low - from, 0), LANES);
  const int64_t high = attention_min(attention_max(range.high - from, 0), LANES);
  return (__mmask16)((1u << high) - 1) & (__mmask16) ~((1u << low) - 1);
}

/* What becomes of scores and d_shares of two queries, `row` and the next: shares and d_scores, 0 outside their ranges,
   in all vectors of `both`; and the magnitudes of rows and columns. */
typedef struct {
  AttentionRange ranges[2], both; /* keys seen by each; vectors with a key that one of them sees */
  Floats inverse[2];              /* from d_scores to integers, by row */
} QueryPair;

static inline void integer_share_gradients(const IntegerBackwardWork *work, int64_t row, const float *log_sums,
                                           const float *dots, Ints *largest_shares, Ints *largest_d_scores,
                                           QueryPair *pair) {
  for (int r = 0; r < 2; r++) {
    if (pair->ranges[r].low >= pair->ranges[r].high) pair->ranges[r] = (AttentionRange){0, 0};
    float *shares = work->shares + (row + r) * INTEGER_BACKWARD_KEYS;
    float *d_scores = work->d_scores + (row + r) * INTEGER_BACKWARD_KEYS;
    const Floats log_sum = splat(log_sums[r]), dot = splat(dots[r]);
    Ints largest = {};
    for (int64_t j = pair->both.low; j < pair->both.high; j += LANES) {
      const __mmask16 seen = integer_lanes(pair->ranges[r], j);
      Floats share = share_of_score(load(shares + j) - log_sum);
      const Floats d_score = (Floats)_mm512_maskz_mov_ps(seen, (__m512)(share * (load(d_scores + j) - dot)));
      share = (Floats)_mm512_maskz_mov_ps(seen, (__m512)share);
      store(shares + j, share);
      store(d_scores + j, d_score);
      largest = larger_magnitude(largest, d_score);
      largest_d_scores[j / LANES] = larger_magnitude(largest_d_scores[j / LANES], d_score);
      largest_shares[j / LANES] = larger_magnitude(largest_shares[j / LANES], share);
    }
    work->row_scales[row + r] =
        integer_scale(largest, integer_bound(INTEGER_BACKWARD_KEYS), &pair->inverse[r]);
  }
}

static inline void integer_clear(int32_t *pairs, int64_t low, int64_t high, int64_t width) {
  memset(pairs, 0, low * sizeof(int32_t));
  memset(pairs + high, 0, (width - high) * sizeof(int32_t));
}

static inline void integer_round_gradients(const IntegerBackwardWork *work, int64_t row, const Floats *share_inverse,
                                           const Floats *d_score_inverse, const QueryPair *pair) {
  const int64_t keys = INTEGER_BACKWARD_KEYS, low = pair->both.low, high = pair->both.high;
  const float *shares = work->shares + row * keys, *d_scores = work->d_scores + row * keys;
  int32_t *rows = work->d_score_rows + row * keys / 2;
  int32_t *share_pairs = work->share_pairs + row / 2 * keys, *d_score_pairs = work->d_score_pairs + row / 2 * keys;
  for (int64_t j = low; j < high; j += LANES) {
    const Floats first = load(d_scores + j), second = load(d_scores + keys + j);
    const Floats share_factor = share_inverse[j / LANES], d_score_factor = d_score_inverse[j / LANES];
    store_integers(rows + j / 2, first * pair->inverse[0]);
    store_integers(rows + keys / 2 + j / 2, second * pair->inverse[1]);
    store_pairs(d_score_pairs + j, first * d_score_factor, second * d_score_factor);
    store_pairs(share_pairs + j, load(shares + j) * share_factor, load(shares + keys + j) * share_factor);
  }
  integer_clear(rows, low / 2, high / 2, keys / 2);
  integer_clear(rows + keys / 2, low / 2, high / 2, keys / 2);
  integer_clear(d_score_pairs, low, high, keys);
  integer_clear(share_pairs, low, high, keys);
}

/* Shares and gradients of the scores as operands, of the block's scores and d_shares. */
static void integer_score_gradients(const IntegerAttention *call, const AttentionBlock *block,
                                    const IntegerBackwardWork *work) {
  const Attention *p = call->p;
  const int64_t at = (block->batch * p->heads + block->head) * p->length + block->first_query;
  const float *all_log_sums = p->log_sum_exp + attention_log_sum_at(p, block->batch, block->first_query, block->head);
  const int64_t vectors = INTEGER_BACKWARD_KEYS / LANES;
  Ints largest_shares[INTEGER_BACKWARD_KEYS / LANES] = {}, largest_d_scores[INTEGER_BACKWARD_KEYS / LANES] = {};
  Floats share_inverse[INTEGER_BACKWARD_KEYS / LANES], d_score_inverse[INTEGER_BACKWARD_KEYS / LANES];
  QueryPair pairs[INTEGER_BACKWARD_QUERIES / 2];
  for (int64_t row = 0; row < block->queries; row += 2) {
    QueryPair *pair = pairs + row / 2;
    const int64_t end = attention_min(row + 2, block->queries);
    float log_sums[2] = {0, 0}, dots[2] = {0, 0};
    pair->ranges[1] = (AttentionRange){0, 0};
    for (int64_t r = row; r < end; r++) {
      pair->ranges[r - row] = attention_keys_seen(p, block, r, r + 1);
      log_sums[r - row] = all_log_sums[r] * LOG2_E;
      dots[r - row] = call->mixed_dots[at + r];
    }
    const AttentionRange both = attention_keys_seen(p, block, row, end);
    pair->both = (AttentionRange){both.low / LANES * LANES, round_up(both.high, LANES)};
    if (both.low >= both.high) pair->both = (AttentionRange){0, 0};
    integer_share_gradients(work, row, log_sums, dots, largest_shares, largest_d_scores, pair);
  }
  const Floats bound = splat(integer_bound(INTEGER_BACKWARD_QUERIES));
  for (int64_t v = 0; v < vectors; v++) {
    store(work->share_scales + v * LANES, integer_scales(largest_shares[v], bound, share_inverse + v));
    store(work->d_score_scales + v * LANES, integer_scales(largest_d_scores[v], bound, d_score_inverse + v));
  }
  for (int64_t row = 0; row < block->queries; row += 2)
    integer_round_gradients(work, row, share_inverse, d_score_inverse, pairs + row / 2);
}

/* One block's part of all three gradients; d_queries: rows of the block's queries in the segment's gradients. */
static void integer_attention_gradients(const IntegerAttention *call, const AttentionBlock *block,
                                        const IntegerBackwardWork *work, float *d_queries) {
  const Attention *p = call->p;
  const int64_t size = p->head_size, depth = call->wide / 2, head = block->head / (p->heads / p->key_value_heads);
  const int64_t key_at = (block->batch * p->key_value_heads + head) * call->key_tokens + block->first_key;
  const int64_t query_at = (block->batch * p->heads + block->head) * call->query_tokens + block->first_query;
  AttentionRange strips[(INTEGER_BACKWARD_QUERIES + STRIP_ROWS - 1) / STRIP_ROWS];
  AttentionRange key_strips[(INTEGER_BACKWARD_KEYS + STRIP_ROWS - 1) / STRIP_ROWS];
  for (int64_t row = 0; row < block->queries; row += STRIP_ROWS)
    strips[row / STRIP_ROWS] =
        attention_keys_seen(p, block, row, attention_min(row + STRIP_ROWS, block->queries));
  for (int64_t key = 0; key < block->keys; key += STRIP_ROWS)
    key_strips[key / STRIP_ROWS] =
        attention_queries_seeing(p, block, key, attention_min(key + STRIP_ROWS, block->keys));

  PairProduct product = {.a = call->queries.rows + query_at * depth, .a_row = depth, .a_depth = 1, .pairs = depth,
                         .row_scale = call->queries.row_scales + query_at,
                         .b = call->keys.panels + key_at * depth, .column_scale = call->keys.row_scales + key_at,
                         .c = work->shares, .c_row = INTEGER_BACKWARD_KEYS};
  pair_product_of_panels(&product, block->queries, block->keys, strips);
  product.a = call->d_mixed.rows + query_at * depth, product.row_scale = call->d_mixed.row_scales + query_at;
  product.b = call->values.panels + key_at * depth, product.column_scale = call->values.row_scales + key_at;
  product.c = work->d_scores;
  pair_product_of_panels(&product, block->queries, block->keys, strips);
  integer_score_gradients(call, block, work);

  product = (PairProduct){.a = work->d_score_rows, .a_row = INTEGER_BACKWARD_KEYS / 2, .a_depth = 1,
                          .row_scale = work->row_scales, .b = call->keys.down + key_at / 2 * size, .b_row = size,
                          .column_scale = call->keys.down_scales + key_at / call->key_block * size, .c = d_queries,
                          .c_row = size};
  pair_product_over_ranges(&product, block->queries, size, strips);
  product.a = work->d_score_pairs, product.a_row = 1, product.a_depth = INTEGER_BACKWARD_KEYS;
  product.row_scale = work->d_score_scales, product.b = call->queries.down + query_at / 2 * size;
  product.column_scale = call->queries.down_scales + query_at / call->query_block * size, product.c = work->d_keys;
  pair_product_over_ranges(&product, block->keys, size, key_strips);
  product.a = work->share_pairs, product.row_scale = work->share_scales;
  product.b = call->d_mixed.down + query_at / 2 * size;
  product.column_scale = call->d_mixed.down_scales + query_at / call->query_block * size, product.c = work->d_values;
  pair_product_over_ranges(&product, block->keys, size, key_strips);
}

/* One segment of the keys of one key/value head against all queries that see them, the first segments first. */
static void integer_attention_backward_task(void *argument, size_t index) {
  const IntegerAttention *call = argument;
  const Attention *p = call->p;
  const int64_t size = p->head_size, rows = p->batch * p->key_value_heads, group = p->heads / p->key_value_heads;
  const int64_t segment = index / rows, batch = index % rows / p->key_value_heads, head = index % p->key_value_heads;
  const AttentionRange touched = attention_segment_queries(p, call->segments, segment, batch);
  const int64_t gradients_row = (segment * p->batch + batch) * p->heads * p->length;
  for (int64_t h = head * group; h < (head + 1) * group; h++)
    memset(call->d_queries + (gradients_row + h * p->length + touched.low) * size, 0,
           (touched.high - touched.low) * size * sizeof(float));

  const IntegerBackwardWork work = integer_backward_work(size);
  AttentionBlock block = {.batch = batch, .first_key = segment * call->segments.keys};
  const int64_t end = attention_min(block.first_key + call->segments.keys, p->length);
  for (; block.first_key < end; block.first_key += INTEGER_BACKWARD_KEYS) {
    block.keys = attention_min(end - block.first_key, INTEGER_BACKWARD_KEYS);
    const int64_t query_end = attention_query_end(p, batch, block.first_key + block.keys - 1);
    memset(work.d_keys, 0, INTEGER_BACKWARD_KEYS * size * sizeof(float));
    memset(work.d_values, 0, INTEGER_BACKWARD_KEYS * size * sizeof(float));
    for (block.head = head * group; block.head < (head + 1) * group; block.head++)
      for (block.first_query = block.first_key; block.first_query < query_end;
           block.first_query += INTEGER_BACKWARD_QUERIES) {
        block.queries = attention_min(query_end - block.first_query, INTEGER_BACKWARD_QUERIES);
        integer_attention_gradients(
            call, &block, &work, call->d_queries + (gradients_row + block.head * p->length + block.first_query) * size);
      }
    for (int64_t key = 0; key < block.keys; key++)
      attention_write_key_gradients(p, &block, head, key, work.d_keys + key * size, work.d_values + key * size);
  }
}

static void integer_attention_backward(const Attention *p, const Parallel *parallel) {
  IntegerAttention call = integer_attention_call(p, 1);
  const int64_t query_heads = p->batch * p->heads, key_heads = p->batch * p->key_value_heads;
  parallel_for(parallel, integer_prepare_keys, key_heads * (call.key_tokens / call.key_block), &call);
  parallel_for(parallel, integer_prepare_queries, query_heads * (call.query_tokens / call.query_block), &call);
  parallel_for(parallel, integer_attention_backward_task, key_heads * call.segments.count, &call);
  FloatAttention sums = {.p = p, .padded = round_up(p->length, PREPARE_TOKENS), .segments = call.segments,
                         .d_queries = call.d_queries};
  parallel_for(parallel, float_attention_finish_queries, query_heads * (sums.padded / PREPARE_TOKENS), &sums);
}

#endif

/* Causal attention in float32 vectors, forward and backward, on the products of attention-product.h. Blocks of queries
   meet blocks of keys; scores are in units of log 2; a block's rows are computed in strips, each only over the keys it
   sees. */
#ifndef FLACUNA_ATTENTION_FLOAT_H
#define FLACUNA_ATTENTION_FLOAT_H
#include "attention-product.h"
#include "attention-rows.h"

#define FORWARD_QUERIES 48
#define FORWARD_KEYS 128
#define BACKWARD_QUERIES 96
#define BACKWARD_KEYS 128
#define PREPARE_TOKENS 64

/* What the tasks of one call share. D: head size; C: STRIP_COLUMNS; panels are transposed tokens, padded with zeros. */
typedef struct {
  const Attention *p;
  int64_t padded;                                /* length, rounded up to PREPARE_TOKENS */
  float *keys;                                   /* [batch, key/value heads, padded, D], rotated */
  float *values;                                 /* the same of the values; forward only */
  float *key_panels, *value_panels;              /* [batch, key/value heads, padded / C, D, C] */
  float *queries, *d_mixed;                      /* [batch, heads, length, D]; backward only, queries rotated, scaled */
  float *mixed_dots;                             /* [batch, heads, length]: sum of mixed * d_mixed */
  AttentionSegments segments;
  float *d_queries;                              /* [segments, batch, heads, length, D] */
} FloatAttention;

static FloatAttention float_attention_layout(const Attention *p, int backward, AttentionMemory *memory) {
  const int64_t padded = round_up(p->length, PREPARE_TOKENS), size = p->head_size;
  const int64_t key_value_size = p->batch * p->key_value_heads * padded * size;
  const int64_t query_rows = p->batch * p->heads * p->length;
  FloatAttention call = {.p = p, .padded = padded};
  call.keys = attention_take(memory, key_value_size, sizeof(float));
  call.key_panels = attention_take(memory, key_value_size, sizeof(float));
  if (!backward) {
    call.values = attention_take(memory, key_value_size, sizeof(float));
    return call;
  }
  call.segments = attention_segments(p, BACKWARD_KEYS);
  call.value_panels = attention_take(memory, key_value_size, sizeof(float));
  call.queries = attention_take(memory, query_rows * size, sizeof(float));
  call.d_mixed = attention_take(memory, query_rows * size, sizeof(float));
  call.mixed_dots = attention_take(memory, query_rows, sizeof(float));
  call.d_queries = attention_take(memory, call.segments.count * query_rows * size, sizeof(float));
  return call;
}
static FloatAttention float_attention_call(const Attention *p, int backward) {
  AttentionMemory memory = {NULL, 0};
  float_attention_layout(p, backward, &memory);
  memory = (AttentionMemory){scratch(ATTENTION_CALL_SLOT, memory.used), 0};
  return float_attention_layout(p, backward, &memory);
}

/* rows [tokens][row_step] -> panels [PREPARE_TOKENS / C][D][C], zeros for the tokens that are missing */
static void attention_transpose(const float *rows, int64_t row_step, int64_t tokens, int64_t size, float *panels) {
  for (int64_t token = 0; token < PREPARE_TOKENS; token += LANES) {
    float *panel = panels + token / STRIP_COLUMNS * STRIP_COLUMNS * size + token % STRIP_COLUMNS;
    for (int64_t i = 0; i < size; i += LANES) {
      Floats square[LANES];
#pragma GCC unroll 16
      for (int j = 0; j < LANES; j++)
        square[j] = token + j < tokens ? load(rows + (token + j) * row_step + i) : (Floats){};
      transpose_square(square);
#pragma GCC unroll 16
      for (int j = 0; j < LANES; j++) store(panel + (i + j) * STRIP_COLUMNS, square[j]);
    }
  }
}

/* One key/value head, PREPARE_TOKENS tokens. */
static void float_attention_prepare_keys(void *argument, size_t index) {
  const FloatAttention *call = argument;
  const Attention *p = call->p;
  const int64_t size = p->head_size, blocks = call->padded / PREPARE_TOKENS, row = index / blocks;
  const int64_t batch = row / p->key_value_heads, head = row % p->key_value_heads;
  const int64_t first = index % blocks * PREPARE_TOKENS, tokens = attention_min(p->length - first, PREPARE_TOKENS);
  const int64_t at = (row * call->padded + first) * size, step = p->of.key_step;
  const float *key = p->key + attention_key_at(p, batch, first, head);
  const float *value = p->value + attention_key_at(p, batch, first, head);
  for (int64_t t = 0; t < tokens; t++) {
    attention_rotate(p, first + t, 1, 1, key + t * step, call->keys + at + t * size);
    if (call->values != NULL) memcpy(call->values + at + t * size, value + t * step, size * sizeof(float));
  }
  attention_transpose(call->keys + at, size, tokens, size, call->key_panels + at);
  if (call->value_panels != NULL) attention_transpose(value, step, tokens, size, call->value_panels + at);
}

/* ---- forward ------------------------------------------------------------------------------------------- */

/* Scores, shares, and what they mix of the values, for one block; scores: [queries][FORWARD_KEYS]. */
static void float_attention_mix(const FloatAttention *call, const AttentionBlock *block, const float *queries,
                                float *scores, AttentionState state, float *mixed) {
  const Attention *p = call->p;
  const int64_t size = p->head_size, head = block->head / (p->heads / p->key_value_heads);
  const int64_t at = ((block->batch * p->key_value_heads + head) * call->padded + block->first_key) * size;
  AttentionRange strips[FORWARD_QUERIES / STRIP_ROWS];
  for (int64_t row = 0; row < block->queries; row += STRIP_ROWS)
    strips[row / STRIP_ROWS] =
        attention_keys_seen(p, block, row, attention_min(row + STRIP_ROWS, block->queries));
  product_of_panels(&(StripProduct){.a = queries, .a_row = size, .a_depth = 1, .depth = size,
                                    .b = call->key_panels + at, .c = scores, .c_row = FORWARD_KEYS},
                    block->queries, block->keys, strips);
  for (int64_t row = 0; row < block->queries; row++) {
    const float factor =
        attention_soften(scores + row * FORWARD_KEYS, attention_keys_seen(p, block, row, row + 1), block->keys,
                         state.largest + row, state.sums + row * LANES);
    if (factor == 1.0f) continue;
    for (int64_t i = row * size; i < (row + 1) * size; i += LANES) store(mixed + i, load(mixed + i) * splat(factor));
  }
  product_over_ranges(&(StripProduct){.a = scores, .a_row = FORWARD_KEYS, .a_depth = 1,
                                      .b = call->values + at, .b_row = size, .c = mixed, .c_row = size},
                      block->queries, size, strips);
}

/* One block of queries of one head, the last blocks first: they see the most keys. */
static void float_attention_forward_task(void *argument, size_t index) {
  const FloatAttention *call = argument;
  const Attention *p = call->p;
  const int64_t size = p->head_size, rows = p->batch * p->heads;
  const int64_t blocks = (p->length + FORWARD_QUERIES - 1) / FORWARD_QUERIES;
  AttentionBlock block = {.batch = index % rows / p->heads, .head = index % p->heads};
  block.first_query = (blocks - 1 - (int64_t)index / rows) * FORWARD_QUERIES;
  block.queries = attention_min(p->length - block.first_query, FORWARD_QUERIES);

  float *queries = scratch(ATTENTION_TASK_SLOT,
                           FORWARD_QUERIES * (2 * size + FORWARD_KEYS + LANES + 1) * sizeof(float));
  float *mixed = queries + FORWARD_QUERIES * size, *scores = mixed + FORWARD_QUERIES * size;
  AttentionState state = {.sums = scores + FORWARD_QUERIES * FORWARD_KEYS};
  state.largest = state.sums + FORWARD_QUERIES * LANES;
  memset(mixed, 0, FORWARD_QUERIES * size * sizeof(float));
  memset(state.sums, 0, FORWARD_QUERIES * LANES * sizeof(float));
  for (int64_t row = 0; row < block.queries; row++) {
    const int64_t token = block.first_query + row;
    attention_rotate(p, token, 1, attention_scale(p) * LOG2_E,
                     p->query + attention_query_at(p, block.batch, token, block.head), queries + row * size);
    state.largest[row] = -FLT_MAX;
  }

  const int64_t end = block.first_query + block.queries;
  block.first_key = attention_first_key(p, block.batch, block.first_query) / STRIP_COLUMNS * STRIP_COLUMNS;
  for (; block.first_key < end; block.first_key += FORWARD_KEYS) {
    block.keys = attention_min(end - block.first_key, FORWARD_KEYS);
    float_attention_mix(call, &block, queries, scores, state, mixed);
  }

  for (int64_t row = 0; row < block.queries; row++)
    attention_write_mixed(p, &block, row, mixed + row * size, state.largest[row], state.sums + row * LANES);
}

static void float_attention_forward(const Attention *p, const Parallel *parallel) {
  FloatAttention call = float_attention_call(p, 0);
  const int64_t blocks = (p->length + FORWARD_QUERIES - 1) / FORWARD_QUERIES;
  parallel_for(parallel, float_attention_prepare_keys,
               p->batch * p->key_value_heads * (call.padded / PREPARE_TOKENS), &call);
  parallel_for(parallel, float_attention_forward_task, p->batch * p->heads * blocks, &call);
}

/* ---- backward ------------------------------------------------------------------------------------------ */

/* One query head, PREPARE_TOKENS tokens: rotated queries, cotangents, and their dots with the outputs. */
static void float_attention_prepare_queries(void *argument, size_t index) {
  const FloatAttention *call = argument;
  const Attention *p = call->p;
  const int64_t size = p->head_size, blocks = call->padded / PREPARE_TOKENS, row = index / blocks;
  const int64_t batch = row / p->heads, head = row % p->heads;
  const int64_t first = index % blocks * PREPARE_TOKENS, end = attention_min(p->length, first + PREPARE_TOKENS);
  for (int64_t token = first; token < end; token++) {
    const int64_t at = row * p->length + token, from = attention_query_at(p, batch, token, head);
    memcpy(call->d_mixed + at * size, p->d_mixed + from, size * sizeof(float));
    call->mixed_dots[at] = attention_mixed_dot(p, batch, token, head);
    attention_rotate(p, token, 1, attention_scale(p) * LOG2_E, p->query + from, call->queries + at * size);
  }
}

/* What a task of the backward pass works in; shares and their gradients are [queries][BACKWARD_KEYS]. */
typedef struct {
  float *shares, *d_scores, *d_keys, *d_values;
} FloatAttentionWork;

/* One block's part of all three gradients; d_queries: rows of the block's queries in the segment's gradients. */
static void float_attention_gradients(const FloatAttention *call, const AttentionBlock *block, FloatAttentionWork work,
                                      float *d_queries) {
  const Attention *p = call->p;
  const int64_t size = p->head_size, head = block->head / (p->heads / p->key_value_heads);
  const int64_t key_at = ((block->batch * p->key_value_heads + head) * call->padded + block->first_key) * size;
  const int64_t query_at = (block->batch * p->heads + block->head) * p->length + block->first_query;
  const float *queries = call->queries + query_at * size, *d_mixed = call->d_mixed + query_at * size;
  const float *log_sums = p->log_sum_exp + attention_log_sum_at(p, block->batch, block->first_query, block->head);
  AttentionRange strips[BACKWARD_QUERIES / STRIP_ROWS], key_strips[(BACKWARD_KEYS + STRIP_ROWS - 1) / STRIP_ROWS];
  for (int64_t row = 0; row < block->queries; row += STRIP_ROWS)
    strips[row / STRIP_ROWS] =
        attention_keys_seen(p, block, row, attention_min(row + STRIP_ROWS, block->queries));
  for (int64_t key = 0; key < block->keys; key += STRIP_ROWS)
    key_strips[key / STRIP_ROWS] =
        attention_queries_seeing(p, block, key, attention_min(key + STRIP_ROWS, block->keys));

  StripProduct product = {.a = queries, .a_row = size, .a_depth = 1, .depth = size,
                          .b = call->key_panels + key_at, .c = work.shares, .c_row = BACKWARD_KEYS};
  product_of_panels(&product, block->queries, block->keys, strips);
  product.a = d_mixed, product.b = call->value_panels + key_at, product.c = work.d_scores;
  product_of_panels(&product, block->queries, block->keys, strips);
  for (int64_t row = 0; row < block->queries; row++)
    attention_share_gradients(work.shares + row * BACKWARD_KEYS, work.d_scores + row * BACKWARD_KEYS,
                              attention_keys_seen(p, block, row, row + 1), block->keys,
                              log_sums[row] * LOG2_E, call->mixed_dots[query_at + row]);

  product = (StripProduct){.a = work.d_scores, .a_row = BACKWARD_KEYS, .a_depth = 1, .b = call->keys + key_at,
                           .b_row = size, .c = d_queries, .c_row = size};
  product_over_ranges(&product, block->queries, size, strips);
  product.a_row = 1, product.a_depth = BACKWARD_KEYS, product.b = queries, product.c = work.d_keys;
  product_over_ranges(&product, block->keys, size, key_strips);
  product.a = work.shares, product.b = d_mixed, product.c = work.d_values;
  product_over_ranges(&product, block->keys, size, key_strips);
}

/* One segment of the keys of one key/value head against all queries that see them, the first segments first. */
static void float_attention_backward_task(void *argument, size_t index) {
  const FloatAttention *call = argument;
  const Attention *p = call->p;
  const int64_t size = p->head_size, rows = p->batch * p->key_value_heads, group = p->heads / p->key_value_heads;
  const int64_t segment = index / rows, batch = index % rows / p->key_value_heads, head = index % p->key_value_heads;
  const AttentionRange touched = attention_segment_queries(p, call->segments, segment, batch);
  const int64_t gradients_row = (segment * p->batch + batch) * p->heads * p->length;
  for (int64_t h = head * group; h < (head + 1) * group; h++)
    memset(call->d_queries + (gradients_row + h * p->length + touched.low) * size, 0,
           (touched.high - touched.low) * size * sizeof(float));

  FloatAttentionWork work = {.shares = scratch(ATTENTION_TASK_SLOT,
                                               2 * BACKWARD_KEYS * (BACKWARD_QUERIES + size) * sizeof(float))};
  work.d_scores = work.shares + BACKWARD_QUERIES * BACKWARD_KEYS;
  work.d_keys = work.d_scores + BACKWARD_QUERIES * BACKWARD_KEYS;
  work.d_values = work.d_keys + BACKWARD_KEYS * size;
  AttentionBlock block = {.batch = batch, .first_key = segment * call->segments.keys};
  const int64_t end = attention_min(block.first_key + call->segments.keys, p->length);
  for (; block.first_key < end; block.first_key += BACKWARD_KEYS) {
    block.keys = attention_min(end - block.first_key, BACKWARD_KEYS);
    const int64_t query_end = attention_query_end(p, batch, block.first_key + block.keys - 1);
    memset(work.d_keys, 0, 2 * BACKWARD_KEYS * size * sizeof(float));
    for (block.head = head * group; block.head < (head + 1) * group; block.head++)
      for (block.first_query = block.first_key; block.first_query < query_end; block.first_query += BACKWARD_QUERIES) {
        block.queries = attention_min(query_end - block.first_query, BACKWARD_QUERIES);
        float_attention_gradients(
            call, &block, work, call->d_queries + (gradients_row + block.head * p->length + block.first_query) * size);
      }
    for (int64_t key = 0; key < block.keys; key++)
      attention_write_key_gradients(p, &block, head, key, work.d_keys + key * size, work.d_values + key * size);
  }
}

/* One query head, PREPARE_TOKENS tokens: the segments' gradients summed in order, turned back and scaled. */
static void float_attention_finish_queries(void *argument, size_t index) {
  const FloatAttention *call = argument;
  const Attention *p = call->p;
  const int64_t size = p->head_size, blocks = call->padded / PREPARE_TOKENS, row = index / blocks;
  const int64_t batch = row / p->heads, head = row % p->heads, rows = p->batch * p->heads;
  const int64_t first = index % blocks * PREPARE_TOKENS, end = attention_min(p->length, first + PREPARE_TOKENS);
  for (int64_t token = first; token < end; token++) {
    const int64_t from = attention_first_key(p, batch, token) / call->segments.keys;
    const int64_t to = token / call->segments.keys, step = rows * p->length * size;
    float *part = call->d_queries + from * step + (row * p->length + token) * size;
    for (int64_t segment = 1; segment <= to - from; segment++)
      for (int64_t i = 0; i < size; i += LANES) store(part + i, load(part + i) + load(part + segment * step + i));
    attention_rotate(p, token, -1, attention_scale(p), part, p->d_query + attention_query_at(p, batch, token, head));
  }
}

static void float_attention_backward(const Attention *p, const Parallel *parallel) {
  FloatAttention call = float_attention_call(p, 1);
  const int64_t blocks = call.padded / PREPARE_TOKENS;
  parallel_for(parallel, float_attention_prepare_keys, p->batch * p->key_value_heads * blocks, &call);
  parallel_for(parallel, float_attention_prepare_queries, p->batch * p->heads * blocks, &call);
  parallel_for(parallel, float_attention_backward_task, p->batch * p->key_value_heads * call.segments.count, &call);
  parallel_for(parallel, float_attention_finish_queries, p->batch * p->heads * blocks, &call);
}

#endif

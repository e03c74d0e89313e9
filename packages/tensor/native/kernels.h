/* What the kernel families offer: argument structures, and one table of functions per instruction-set path.
   Arrays are row major and contiguous unless said otherwise; sizes are in elements. No type of the runtime here. */
#ifndef FLACUNA_KERNELS_H
#define FLACUNA_KERNELS_H
#include <stdint.h>
#include "parallel.h"

/* ---- quantize.c: float32 rows to unsigned bytes with zero point 128 -------------------------------------------- */

#define ZERO_POINT 128
/* Rows of quantised values are padded with the zero point to a multiple of this, as packed weights are with 0. */
#define DEPTH_STEP 64
/* Output columns of packed weights come in groups of this. */
#define COLUMN_STEP 16
static inline int64_t round_up(int64_t size, int64_t step) { return (size + step - 1) / step * step; }

/* q = round(x * column_scale / scale) + 128 with scale = max |x * column_scale| / 127 of the row. */
typedef struct {
  int64_t rows, width;
  const float *x;            /* [rows, width] */
  const float *column_scale; /* [width], or null for 1 */
  uint8_t *q;                /* [rows, round_up(width, DEPTH_STEP)] */
  float *scale;              /* [rows] */
} QuantizeRows;

/* ---- int8-rows.c: rows of packed bytes by their numbers ------------------------------------------------------------ */

typedef struct {
  int64_t rows, width;
  const int64_t *indices; /* [rows] */
  const int8_t *packed;   /* as linear-int8.c reads it */
  const float *scales;    /* one per row of the matrix */
  float *y;               /* [rows, width] */
} Int8Rows;

/* ---- quantize-blocks.c: float32 rows to signed bytes in blocks ---------------------------------------------------- */

/* Rows of bytes, padded with 0. In each block q = round(x / scale) with scale = max |x| / 127, in blocks of 32 without the
   last two of its bits. A value of two bytes is round(x / scale * 128) = 128 * high + low, and its row two rows: one of the
   high bytes, and one of the low bytes, with scale / 128. */
typedef struct {
  int64_t block;  /* 32 or 64 columns */
  int64_t bytes;  /* of a value: 1 or 2 */
  int8_t *q;      /* [rows, bytes, round_up(width, DEPTH_STEP)] */
  float *scale;   /* [rows, bytes, round_up(width, DEPTH_STEP) / block] */
  int32_t *start; /* likewise, blocks of 64: -128 * the sum of q, for products with weights that have become 128 more */
  float *shift;   /* likewise, blocks of 32: scale * -1.5 * 2^23, exactly, for products whose sums start at 1.5 * 2^23 */
  float *offset;  /* likewise, blocks of 32: scale * the sum of q, for the minimum that all weights of a block have */
} BlockRows;
typedef struct {
  int64_t rows, width;
  const float *x; /* [rows, width] */
  BlockRows to;
} QuantizeBlocks;

/* ---- linear-int8.c: products with weights W [out, in] held once as signed bytes ---------------------------------- */

/* Packed weights: [out / 16][in / 4][16 outputs][4 inputs] bytes, `out` padded to COLUMN_STEP * 4 = 64 and `in` to
   DEPTH_STEP with zeros, so that either direction may take it for its depth. A [16 quads][16][4] piece is an AMX tile.
   forward:  y[r, o] = addend[r, o] + row_scale[r] * column_scale[o] * sum_i (q[r, i] - 128) * w[o, i]
   backward: y[r, i] = addend[r, i] + row_scale[r] * sum_o (q[r, o] - 128) * w[o, i]       (column scales are in q) */
typedef struct {
  int64_t rows, in, out;
  const uint8_t *q;          /* forward [rows, round_up(in, 64)], backward [rows, round_up(out, 64)] */
  const float *row_scale;    /* [rows] */
  const int8_t *packed;
  const float *column_scale; /* forward only: [out] */
  const int32_t *sums;       /* forward [out]: sums of w over in; backward [in]: sums of w over out */
  const float *addend;       /* like y, or null; may be y itself */
  float *y;                  /* forward [rows, out], backward [rows, in] */
} Int8Product;

/* ---- linear-panels.c: products with weights that are unpacked, a panel at a time, to floating point ---------------- */

/* bfloat16 weights and 16-bit integers: [out / 16][in / 2][16 outputs][2 inputs], `out` and `in` padded to 32 with zeros.
   An integer counts its output's scale, and any 256 neighbouring inputs of an output, from a multiple of 32 on, are a
   vector no longer than INTEGER_LENGTH.
   4-bit weights: [out / 16][in / 8][16 outputs][4 bytes], the low half of byte b is input 8j + b, the high half input
   8j + 4 + b; value = scale * nibble + minimum, one float16 scale and minimum per block of 32 inputs:
   [out / 16][in / 32][16]; `out` padded to 32, `in` a multiple of 32. */
typedef enum { WEIGHTS_BFLOAT16, WEIGHTS_INT4, WEIGHTS_INT16, WEIGHTS_INT8 } WeightFormat;
/* The product of two such vectors is below 2^31, and so are its beginnings; rounding may add a vector of length 8. */
#define INTEGER_LENGTH 46000.0f
/* forward: y = addend + x * W^T; backward: y = addend + x * W. */
typedef struct {
  int64_t rows, in, out;
  WeightFormat format;
  const float *x; /* forward [rows, in], backward [rows, out] */
  const void *packed;
  const uint16_t *scales, *minimums; /* 4 bits only */
  const float *row_scales;           /* 16-bit integers only: [out], padded */
  const float *addend;               /* like y, or null; may be y itself */
  float *y;                          /* forward [rows, out], backward [rows, in] */
} PanelProduct;

/* ---- linear-blocks.c: products of rows quantised in blocks with the packed weights of the two families before ------- */

/* One of the weights that meet the same rows: y = addend + x * W^T. */
typedef struct {
  int64_t out;
  const void *packed;                /* as Int8Product's or PanelProduct's of 4 bits */
  const float *column_scale;         /* 8 bits only: [out] */
  const uint16_t *scales, *minimums; /* 4 bits only */
  const float *addend;               /* [rows, out], or null; may be y itself */
  float *y;                          /* [rows, out] */
} BlockWeights;
/* The rows are those of BlockRows, in blocks of 64 for WEIGHTS_INT8 and of 32 for WEIGHTS_INT4. A row of y does not depend,
   to the bit, on which other rows and weights are there. */
#define MAX_BLOCK_WEIGHTS 3
typedef struct {
  WeightFormat format;
  int64_t rows, in;
  BlockRows x;
  int count; /* of weights */
  BlockWeights weights[MAX_BLOCK_WEIGHTS];
} BlockProduct;

/* ---- attention.c: causal grouped-query attention with rotary positions ------------------------------------------- */

/* Query head h reads key/value head h / (heads / key_value_heads). Token t of a row sees tokens starts[t] ... t.
   Queries and keys are rotated by their position in the row (half-split); scores are scaled by 1 / sqrt(head_size). */
typedef struct {
  int64_t batch, length, heads, key_value_heads, head_size; /* head_size: a multiple of 16 from 16 to 256 */
  int allow_bfloat16; /* whether products may be rounded: to bfloat16 with tiles, to 16-bit integers with VNNI */
  const float *query;                                       /* [batch, length, heads, head_size] */
  const float *key, *value;                                 /* [batch, length, key_value_heads, head_size] */
  const float *cos, *sin;                                   /* [length, head_size / 2] */
  const int32_t *starts; /* [batch, length], not falling along a row, starts[t] <= t; null: all 0 */
  float *mixed;          /* [batch, length, heads, head_size]: out of forward, in of backward */
  float *log_sum_exp;    /* [batch, heads, length], natural: out of forward, in of backward */
  const float *d_mixed;  /* backward only, as are the following */
  float *d_query, *d_key, *d_value;
  struct { /* set by attention.c: where a part of a call lies in the whole */
    int64_t query_step, key_step; /* floats from token to token */
    int64_t log_sum_step;         /* tokens from head to head of log_sum_exp */
    int64_t first;                /* token of the row */
  } of;
} Attention;

/* ---- attention-pages.c: the same over keys and values in pages, for generation ------------------------------------- */

/* New tokens of any sequences, those of one sequence side by side, at positions that follow each other. Their keys, rotated,
   and values are written to the pages; then each token sees positions 0 ... its own of its sequence. Its result does not
   depend, to the bit, on the other tokens of the call, nor on how its sequence was divided into calls, nor on which pages it
   has. Position i of sequence s is in page pages[s * page_columns + i / page_size], in place i % page_size. */
typedef struct {
  int64_t tokens, heads, key_value_heads, head_size; /* head_size: a multiple of 16 from 16 to 256 */
  int64_t page_size, page_columns;                   /* page_size: a multiple of 16 */
  const float *query;                                /* [tokens, heads, head_size] */
  const float *key, *value;                          /* [tokens, key_value_heads, head_size] */
  /* float32 [pages, key_value_heads, head_size, page_size], [pages, key_value_heads, page_size, head_size]; or int16 in
     pairs, [pages, key_value_heads, head_size / 2, page_size, 2], [pages, key_value_heads, page_size / 2, head_size, 2] */
  void *keys, *values;
  float *scales; /* of int16, [pages, key_value_heads, 2, page_size]: keys' and values'; else null */
  const int32_t *pages;                /* [sequences, page_columns]; only what the tokens need is read */
  const int32_t *sequence, *positions; /* [tokens] */
  const float *cos, *sin;              /* [positions, head_size / 2] */
  float *mixed;                        /* [tokens, heads, head_size] */
} PagedAttention;

/* ---- norm.c --------------------------------------------------------------------------------------------------------- */

/* normalised = x * inverse * gain, inverse = 1 / sqrt(mean(x^2) + epsilon); q and scale as QuantizeRows of normalised. */
typedef struct {
  int64_t rows, width;
  float epsilon;
  const float *x, *gain; /* [rows, width], [width] */
  float *normalised;     /* [rows, width], or null */
  float *inverse;        /* [rows], or null */
  uint8_t *q;            /* [rows, round_up(width, 64)], or null */
  float *scale;          /* [rows], or null */
  BlockRows blocks;      /* normalised in blocks; its q may be null */
} RmsNorm;
/* dx = addend + inverse * (g * gain - n * mean(g * gain * n)), n = x * inverse */
typedef struct {
  int64_t rows, width;
  const float *g, *x, *gain, *inverse;
  const float *addend; /* [rows, width] or null */
  float *dx;
} RmsNormGrad;

/* ---- swiglu.c, int8-swiglu.c ------------------------------------------------------------------------------------------------------- */

/* h = silu(gate) * up. With hadamard, each run of 64 columns is then multiplied by the symmetric orthogonal Hadamard
   matrix of order 64 (entries +-1/8, Sylvester's order); width is then a multiple of 64. h, and either q, may be null. */
typedef struct {
  int64_t rows, width;
  int hadamard;
  const float *gate, *up; /* [rows, width] */
  float *h;               /* [rows, width] */
  uint8_t *q;             /* [rows, round_up(width, 64)] */
  float *scale;           /* [rows] */
  BlockRows blocks;       /* h in blocks */
} Swiglu;
/* The same of two products of the same rows, without their y and addend; kept are both in bfloat16, h in blocks of 64. */
typedef struct {
  Int8Product gate, up;
  int hadamard;
  uint16_t *kept_gate, *kept_up; /* [rows, width] */
  BlockRows blocks;
} Int8Swiglu;
/* The pullback: g is the cotangent of h, after the Hadamard matrix when there is one. Either d_gate and d_up are
   written, or what QuantizeRows makes of them with these column scales; then gate and up may be kept in bfloat16. */
typedef struct {
  int64_t rows, width;
  int hadamard;
  const float *g, *gate, *up;
  float *d_gate, *d_up; /* [rows, width], or null */
  struct {
    const float *column_scale; /* [width] */
    uint8_t *q;                /* [rows, round_up(width, 64)] */
    float *scale;              /* [rows] */
  } quantized_gate, quantized_up;
  const uint16_t *kept_gate, *kept_up; /* [rows, width], where gate and up are null */
} SwigluGrad;
/* y = x with each run of 64 columns multiplied by that matrix. */
typedef struct {
  int64_t rows, width;
  const float *x;
  float *y;
} Hadamard;

/* ---- cross-entropy.c ------------------------------------------------------------------------------------------------ */

/* loss[r] = log_sum_exp[r] - logits[r, labels[r]] */
typedef struct {
  int64_t rows, classes;
  const float *logits;
  const int64_t *labels;
  float *loss, *log_sum_exp; /* [rows] */
} CrossEntropy;
/* d_logits[r, c] = g[r] * (exp(logits[r, c] - log_sum_exp[r]) - [c == labels[r]]) */
typedef struct {
  int64_t rows, classes;
  const float *g, *logits, *log_sum_exp;
  const int64_t *labels;
  float *d_logits; /* may be logits */
} CrossEntropyGrad;

/* ---- select.c -------------------------------------------------------------------------------------------------------- */

/* How the token of a row is chosen, a row of the operator's numbers and of its integers. */
typedef struct {
  float temperature; /* 0: the largest logit */
  float top_p, min_p, uniform, repetition_penalty, frequency_penalty, presence_penalty, unused;
} SelectNumbers;
typedef struct {
  int32_t top_k;  /* 0: all */
  int32_t forced; /* the token, whatever the logits; -1: none */
  int32_t mask;   /* which of the masks; -1: none */
  int32_t unused;
} SelectIntegers;
/* A token of a row that has been seen `count` times, or has a bias, or both. */
typedef struct {
  int32_t row, id;
} SelectSeen;
typedef struct {
  float count, bias;
} SelectCounts;
/* Logits l are changed in this order: l > 0 ? l / repetition_penalty : l * repetition_penalty where the count is not 0, there
   also minus frequency_penalty * count + presence_penalty; plus bias; minus infinity where the mask's bit is 0. Then the
   top_k largest are kept, of these by falling weight exp(l / temperature) as few as hold the share top_p of all weights, of
   these the weights of at least min_p times the largest. Drawn is, by rising id, the first one with which the cumulated
   weights exceed uniform times their sum. Equal logits are in the order of their ids. */
typedef struct {
  int64_t rows, vocabulary, seen_count, top; /* top: at most the vocabulary */
  const float *logits;                       /* [rows, vocabulary] */
  const SelectNumbers *numbers;              /* [rows] */
  const SelectIntegers *integers;            /* [rows] */
  const SelectSeen *seen;                    /* [seen_count], in the order of rows, each token of a row once */
  const SelectCounts *counts;                /* [seen_count] */
  const int32_t *masks;                      /* [any, ceil(vocabulary / 32)] bits of tokens that may be chosen */
  int32_t *token;                            /* [rows]; -1 where logits are not finite or none may be chosen */
  float *log_prob;                           /* [rows] of the token under the logits as they came; NaN for -1 */
  int32_t *is_greedy;                        /* [rows] whether it is the first of the largest of these */
  int32_t *top_ids;                          /* [rows, top] of the largest of these, falling; -1 where not finite */
  float *top_log_probs;                      /* [rows, top] */
} SelectTokens;

/* ---- product.c ------------------------------------------------------------------------------------------------------ */

/* y = a * b */
typedef struct {
  int64_t rows, depth, columns;
  int transpose_a, transpose_b;
  const float *a; /* [rows, depth], transposed [depth, rows] */
  const float *b; /* [depth, columns], transposed [columns, depth] */
  float *y;       /* [rows, columns] */
} Product;

/* ---- adamw.c -------------------------------------------------------------------------------------------------------- */

/* With g' = g * scale:
   new_mean = mean * beta1 + g' * complement1, new_variance = variance * beta2 + g'^2 * complement2,
   new_parameter = parameter * decay - new_mean / (sqrt(new_variance) * inverse_deviation + epsilon) * step
   When is_good is 0, all three stay as they were. The new values may be the old ones' memory. */
typedef struct {
  int64_t count;
  float beta1, complement1, beta2, complement2, epsilon; /* complement: 1 - beta, rounded once */
  float scale, step, inverse_deviation, decay;
  int is_good;
  const float *g, *mean, *variance, *parameter;
  float *new_mean, *new_variance, *new_parameter;
} AdamW;
/* total = part / divisor, plus sum when is_first is 0; total may be sum. */
typedef struct {
  int64_t count;
  float divisor;
  int is_first;
  const float *sum, *part;
  float *total;
} Accumulate;
/* total = sum of x^2 */
typedef struct {
  int64_t count;
  const float *x;
  float *total; /* [1] */
} SumOfSquares;

/* ---- thin.c: float32 products in which one size is small, as for the factors of a low-rank update ---------------- */

/* reduce: y [rows, thin] = x [rows, wide] * factor^T; expand: y [rows, wide] = x [rows, thin] * factor. */
typedef struct {
  int64_t rows, wide, thin;
  int is_transposed; /* the factor is [wide, thin], not [thin, wide] */
  const float *x, *factor;
  float *y;
} ThinProduct;
/* y [thin, wide] = x^T * wide_x */
typedef struct {
  int64_t rows, wide, thin;
  int is_transposed;       /* y is [wide, thin] */
  const float *x, *wide_x; /* [rows, thin], [rows, wide] */
  float *y;
} ThinOuter;

/* ---- the table -------------------------------------------------------------------------------------------------------- */

/* The one is read, the other written. */
typedef struct {
  int64_t count;
  float *wide;
  uint16_t *narrow;
} Bfloat16Cast;

typedef struct {
  const char *path;
  void (*quantize_rows)(const QuantizeRows *, const Parallel *);
  void (*int8_rows)(const Int8Rows *, const Parallel *);
  void (*round_to_bfloat16)(const Bfloat16Cast *, const Parallel *);
  void (*widen_bfloat16)(const Bfloat16Cast *, const Parallel *);
  void (*quantize_blocks)(const QuantizeBlocks *, const Parallel *);
  void (*int8_forward)(const Int8Product *, const Parallel *);
  void (*int8_backward)(const Int8Product *, const Parallel *);
  void (*panel_forward)(const PanelProduct *, const Parallel *);
  void (*panel_backward)(const PanelProduct *, const Parallel *);
  void (*block_product)(const BlockProduct *, const Parallel *);
  void (*attention_forward)(const Attention *, const Parallel *);
  void (*attention_backward)(const Attention *, const Parallel *);
  void (*paged_attention)(const PagedAttention *, const Parallel *);
  void (*rms_norm)(const RmsNorm *, const Parallel *);
  void (*rms_norm_grad)(const RmsNormGrad *, const Parallel *);
  void (*swiglu)(const Swiglu *, const Parallel *);
  void (*int8_swiglu)(const Int8Swiglu *, const Parallel *);
  void (*swiglu_grad)(const SwigluGrad *, const Parallel *);
  void (*hadamard)(const Hadamard *, const Parallel *);
  void (*cross_entropy)(const CrossEntropy *, const Parallel *);
  void (*cross_entropy_grad)(const CrossEntropyGrad *, const Parallel *);
  void (*select_tokens)(const SelectTokens *, const Parallel *);
  void (*thin_reduce)(const ThinProduct *, const Parallel *);
  void (*thin_expand)(const ThinProduct *, const Parallel *);
  void (*thin_outer)(const ThinOuter *, const Parallel *);
  void (*product)(const Product *, const Parallel *);
  void (*adamw)(const AdamW *, const Parallel *);
  void (*accumulate)(const Accumulate *, const Parallel *);
  void (*sum_of_squares)(const SumOfSquares *, const Parallel *);
} Kernels;

extern const Kernels kernels_portable, kernels_avx2, kernels_avx512, kernels_amx;

#endif

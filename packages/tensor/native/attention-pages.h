/* One block of keys and values in pages, and what both kinds of pages need for its products with rows. Pages hold float32
   (attention-pages-float.h) or 16-bit integers (attention-pages-integers.h); an element is one float or one pair of integers,
   so that their addresses are computed alike. */
#ifndef FLACUNA_ATTENTION_PAGES_H
#define FLACUNA_ATTENTION_PAGES_H
#include "attention-product.h"
#include "attention-rows.h"

/* Positions of a block, counted from the sequence's first: shares are relative to the largest score of their block. */
#define PAGE_BLOCK 256
/* Positions that lie side by side, whatever the size of pages. */
#define PAGE_UNIT 16
#define PAGE_UNITS (PAGE_BLOCK / PAGE_UNIT)
/* Positions whose values meet all rows of a task before the next. */
#define PAGE_PANEL 64
/* Units that are fetched from memory before their turn. Pages lie anywhere, so the processor does not foresee them. */
#define PAGE_AHEAD (PAGE_PANEL / PAGE_UNIT)

/* The keys and values of one block and head, by units; all units point somewhere that can be read. */
typedef struct {
  const void *keys[PAGE_UNITS];   /* dimension, or pair of dimensions, d at d * key_step */
  const void *values[PAGE_UNITS]; /* position, or pair of positions, i at i * size */
  const float *key_scales[PAGE_UNITS], *value_scales[PAGE_UNITS]; /* of integers */
  const void *next_keys[PAGE_AHEAD]; /* of the block that is read next */
  int64_t units; /* that hold something */
  int64_t size, key_step;
} PageBlock;

/* Rows that meet a block together, by its kind of pages. */
typedef struct {
  const void *rotated; /* queries: [rows][size] float32, or pairs [rows][size / 2] */
  const float *scales; /* [rows] of integers */
  const int64_t *seen; /* [rows]: keys of the block that each sees; do not fall */
  int64_t count;
} PageRows;

/* What they work in: scores become shares. */
typedef struct {
  float *scores;   /* [rows][PAGE_BLOCK] */
  int16_t *shares; /* [rows][PAGE_BLOCK], only integers */
  float *scales;   /* [rows], of these */
} PageShares;

/* How a kind of pages computes. */
typedef struct {
  /* scores of rows `row` ... `row` + count - 1 (no more than STRIP_ROWS) for STRIP_COLUMNS keys from `first` on */
  void (*strip)(const PageBlock *block, int64_t first, const PageRows *rows, int64_t row, int64_t count, float *scores);
  /* scores that rows see become shares 2^(score - largest), whose sum goes to `sums` [rows][LANES] */
  void (*share)(const PageBlock *block, const PageRows *rows, const PageShares *shares, float *largest, float *sums);
  /* what the rows' shares mix of the values; mixed: [rows][size] */
  void (*mix)(const PageBlock *block, const PageRows *rows, const PageShares *shares, float *mixed);
} PageKind;

/* Vectors that do not wait for each other. */
#define PAGE_WIDE 4
/* The largest of the first `seen` scores; others up to a whole number of vectors are hidden. */
static inline float page_largest(float *scores, int64_t seen) {
  const int64_t end = round_up(seen, PAGE_WIDE * LANES);
  Floats top[PAGE_WIDE];
  for (int64_t j = seen; j < end; j++) scores[j] = -INFINITY;
#pragma GCC unroll 4
  for (int v = 0; v < PAGE_WIDE; v++) top[v] = splat(-FLT_MAX);
  for (int64_t j = 0; j < end; j += PAGE_WIDE * LANES)
#pragma GCC unroll 4
    for (int v = 0; v < PAGE_WIDE; v++) top[v] = max_floats(top[v], load(scores + j + v * LANES));
  return attention_max_lanes(max_floats(max_floats(top[0], top[1]), max_floats(top[2], top[3])));
}

/* Runs `body`, an always-inlined function whose last argument is a constant, with 1 ... STRIP_ROWS rows. */
#define WITH_ROWS(rows, body, ...)         \
  switch (rows) {                          \
    case 1: body(__VA_ARGS__, 1); break;   \
    case 2: body(__VA_ARGS__, 2); break;   \
    case 3: body(__VA_ARGS__, 3); break;   \
    case 4: body(__VA_ARGS__, 4); break;   \
    case 5: body(__VA_ARGS__, 5); break;   \
    default: body(__VA_ARGS__, 6); break;  \
  }

#endif

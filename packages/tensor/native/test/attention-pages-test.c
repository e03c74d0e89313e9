/* Attention over pages against plain double loops, and its law: whatever steps bring the tokens of sequences, in whatever
   company and whatever pages, each gets the bits that it gets when its sequence comes alone and at once. --bench times
   decoding and prompts. */
#include "check.h"

#define MOST 4 /* sequences */

/* Whole sequences and what becomes of their tokens. */
typedef struct {
  int64_t heads, kv, size;
  int64_t count, lengths[MOST], longest;
  float *query[MOST], *key[MOST], *value[MOST]; /* [length, heads or kv, size] */
  float *cos, *sin;                             /* [longest, size / 2] */
  float *mixed[MOST];                           /* [length, heads, size] */
} Sequences;

static float *new_angles(int64_t longest, int64_t half, double (*of)(double)) {
  float *x = exact(longest * half * sizeof(float));
  for (int64_t i = 0; i < longest * half; i++) x[i] = (float)of(i / half * pow(100, -(double)(i % half) / half));
  return x;
}
static Sequences new_sequences(int64_t heads, int64_t kv, int64_t size, int64_t count, int64_t longest) {
  Sequences all = {.heads = heads, .kv = kv, .size = size, .count = count, .longest = longest};
  for (int64_t s = 0; s < count; s++) {
    const int64_t length = all.lengths[s] = s == 0 ? longest : random_between(1, longest);
    all.query[s] = random_floats(length * heads * size, 2);
    all.key[s] = random_floats(length * kv * size, 1);
    all.value[s] = random_floats(length * kv * size, 1);
    all.mixed[s] = exact(length * heads * size * sizeof(float));
  }
  all.cos = new_angles(longest, size / 2, cos);
  all.sin = new_angles(longest, size / 2, sin);
  return all;
}
static void free_sequences(Sequences *all) {
  for (int64_t s = 0; s < all->count; s++) free(all->query[s]), free(all->key[s]), free(all->value[s]), free(all->mixed[s]);
  free(all->cos), free(all->sin);
}

/* Pages filled with NaN, handed to sequences in a random order. */
typedef struct {
  int64_t page_size, columns, pages;
  int is_integer;
  void *keys, *values;
  float *scales; /* of integers */
  int32_t *of;   /* [sequences][columns] */
} Pool;

/* NaN as floats, the largest number as integers. */
static void *new_pages(int64_t bytes) {
  uint16_t *halves = exact(bytes);
  for (int64_t i = 0; i < bytes / 2; i++) halves[i] = 0x7fff;
  return halves;
}
static Pool new_pool(const Sequences *all, int64_t page_size, int is_integer) {
  const int64_t columns = (all->longest + page_size - 1) / page_size, pages = all->count * columns + 1;
  const int64_t values = pages * all->kv * all->size * page_size;
  const int64_t bytes = values * (is_integer ? 2 : 4);
  Pool pool = {page_size, columns, pages, is_integer, new_pages(bytes), new_pages(bytes), NULL,
               exact(all->count * columns * sizeof(int32_t))};
  if (is_integer) pool.scales = new_pages(pages * all->kv * 2 * page_size * sizeof(float));
  int32_t *order = exact(pages * sizeof(int32_t));
  for (int64_t i = 0; i < pages; i++) {
    const int64_t j = random_between(0, i);
    order[i] = order[j];
    order[j] = (int32_t)i;
  }
  for (int64_t i = 0; i < all->count * columns; i++) {
    const int64_t s = i / columns, is_needed = i % columns * page_size < all->lengths[s];
    pool.of[i] = is_needed ? order[i] : -1;
  }
  free(order);
  return pool;
}
static void free_pool(Pool *pool) { free(pool->keys), free(pool->values), free(pool->scales), free(pool->of); }

/* Tokens from ... from + count - 1 of a sequence. */
typedef struct {
  int64_t sequence, from, count;
} Piece;

static void gather_rows(float *to, float *const rows[MOST], const Piece *pieces, int64_t count, int64_t width) {
  for (int64_t i = 0; i < count; to += pieces[i++].count * width)
    memcpy(to, rows[pieces[i].sequence] + pieces[i].from * width, pieces[i].count * width * sizeof(float));
}

/* One call for all pieces; results go to their places in `mixed`. */
static void run_step(const Kernels *kernels, const Parallel *parallel, const Sequences *all, const Pool *pool,
                     const Piece *pieces, int64_t count, float *const mixed[MOST]) {
  int64_t tokens = 0, token = 0;
  for (int64_t i = 0; i < count; i++) tokens += pieces[i].count;
  const int64_t wide = all->heads * all->size, narrow = all->kv * all->size;
  float *query = exact(tokens * wide * sizeof(float)), *out = exact(tokens * wide * sizeof(float));
  float *key = exact(tokens * narrow * sizeof(float)), *value = exact(tokens * narrow * sizeof(float));
  int32_t *sequence = exact(tokens * sizeof(int32_t)), *positions = exact(tokens * sizeof(int32_t));
  gather_rows(query, all->query, pieces, count, wide);
  gather_rows(key, all->key, pieces, count, narrow);
  gather_rows(value, all->value, pieces, count, narrow);
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < pieces[i].count; j++, token++) {
      sequence[token] = (int32_t)pieces[i].sequence;
      positions[token] = (int32_t)(pieces[i].from + j);
    }
  kernels->paged_attention(&(PagedAttention){tokens, all->heads, all->kv, all->size, pool->page_size, pool->columns,
                                             query, key, value, pool->keys, pool->values, pool->scales, pool->of,
                                             sequence, positions, all->cos, all->sin, out},
                           parallel);
  const float *from = out;
  for (int64_t i = 0; i < count; from += pieces[i++].count * wide)
    memcpy(mixed[pieces[i].sequence] + pieces[i].from * wide, from, pieces[i].count * wide * sizeof(float));
  free(query), free(key), free(value), free(out), free(sequence), free(positions);
}

/* Every sequence alone and at once, into all->mixed. */
static void run_alone(const Kernels *kernels, const Sequences *all, int64_t page_size, int is_integer) {
  Pool pool = new_pool(all, page_size, is_integer);
  for (int64_t s = 0; s < all->count; s++)
    run_step(kernels, &SERIAL, all, &pool, &(Piece){s, 0, all->lengths[s]}, 1, all->mixed);
  free_pool(&pool);
}

/* ---- plain loops in double ----------------------------------------------------------------------------- */

static void turn(const Sequences *all, const float *x, int64_t position, double *y) {
  const int64_t half = all->size / 2;
  for (int64_t i = 0; i < half; i++) {
    const double c = all->cos[position * half + i], s = all->sin[position * half + i];
    y[i] = x[i] * c - x[half + i] * s;
    y[half + i] = x[half + i] * c + x[i] * s;
  }
}

/* mixed: [heads, size] of one token */
static void plain_attention(const Sequences *all, int64_t s, int64_t token, double *mixed) {
  const int64_t size = all->size, kv = all->kv, group = all->heads / kv;
  double *keys = exact((token + 1) * kv * size * sizeof(double)), *shares = exact((token + 1) * sizeof(double)), query[256];
  for (int64_t r = 0; r < (token + 1) * kv; r++) turn(all, all->key[s] + r * size, r / kv, keys + r * size);
  for (int64_t head = 0; head < all->heads; head++) {
    double largest = -INFINITY, sum = 0, *out = mixed + head * size;
    turn(all, all->query[s] + (token * all->heads + head) * size, token, query);
    for (int64_t j = 0; j <= token; j++) {
      shares[j] = 0;
      for (int64_t i = 0; i < size; i++)
        shares[j] += query[i] * keys[(j * kv + head / group) * size + i] / sqrt((double)size);
      largest = fmax(largest, shares[j]);
    }
    for (int64_t j = 0; j <= token; j++) sum += shares[j] = exp(shares[j] - largest);
    memset(out, 0, size * sizeof(double));
    for (int64_t j = 0; j <= token; j++)
      for (int64_t i = 0; i < size; i++) out[i] += shares[j] / sum * all->value[s][(j * kv + head / group) * size + i];
  }
  free(keys), free(shares);
}

static void check_values(const Kernels *kernels, const Sequences *all, int64_t page_size, int is_integer) {
  const int64_t wide = all->heads * all->size;
  double *expected = exact(wide * sizeof(double));
  run_alone(kernels, all, page_size, is_integer);
  for (int64_t s = 0; s < all->count; s++)
    for (int64_t t = random_between(0, 12); t < all->lengths[s]; t += 13) {
      plain_attention(all, s, t, expected);
      const double error = relative_error(all->mixed[s] + t * wide, expected, wide);
      CHECK(error < (is_integer ? 1e-3 : 5e-6), "pages %s: token %d off by %g: heads %d/%d of %d, pages of %d%s", kernels->path,
            (int)t, error, (int)all->heads, (int)all->kv, (int)all->size, (int)page_size, is_integer ? " of integers" : "");
    }
  free(expected);
}

/* ---- the law ------------------------------------------------------------------------------------------- */

static void expect_same(const Kernels *kernels, const Sequences *all, int64_t s, int64_t from, float *const mixed[MOST],
                        const char *what) {
  const int64_t wide = all->heads * all->size;
  for (int64_t t = from; t < all->lengths[s]; t++)
    CHECK(memcmp(mixed[s] + t * wide, all->mixed[s] + t * wide, wide * sizeof(float)) == 0,
          "pages %s: %s changes token %d of sequence %d: heads %d/%d of %d", kernels->path, what, (int)t, (int)s,
          (int)all->heads, (int)all->kv, (int)all->size);
}

/* Random pieces of random sequences at each step, up to `most` tokens of one. */
static void run_steps(const Kernels *kernels, const Sequences *all, const Pool *pool, const int64_t begin[MOST],
                      int64_t most, float *const mixed[MOST]) {
  int64_t done[MOST];
  memcpy(done, begin, sizeof done);
  for (;;) {
    Piece pieces[MOST];
    int64_t count = 0, left = 0;
    for (int64_t i = 0, first = random_between(0, all->count - 1); i < all->count; i++) {
      const int64_t s = (first + i) % all->count, rest = all->lengths[s] - done[s];
      left += rest;
      if (rest == 0 || random_between(0, 3) == 0) continue;
      const int64_t wanted = random_between(0, 1) ? 1 : random_between(1, most);
      pieces[count++] = (Piece){s, done[s], wanted < rest ? wanted : rest};
      done[s] += pieces[count - 1].count;
    }
    if (left == 0) return;
    run_step(kernels, random_between(0, 1) ? &SERIAL : &TWO_THREADS, all, pool, pieces, count, mixed);
  }
}

static void check_law(const Kernels *kernels, const Sequences *all, int64_t page_size, int64_t other_page_size,
                      int is_integer) {
  float *mixed[MOST];
  for (int64_t s = 0; s < all->count; s++) mixed[s] = exact(all->lengths[s] * all->heads * all->size * sizeof(float));
  run_alone(kernels, all, page_size, is_integer);
  const int64_t begin[MOST] = {0};
  for (int64_t most = 8; most <= 512; most *= 8) {
    Pool pool = new_pool(all, other_page_size, is_integer);
    run_steps(kernels, all, &pool, begin, most, mixed);
    for (int64_t s = 0; s < all->count; s++) expect_same(kernels, all, s, 0, mixed, "the company");
    free_pool(&pool);
  }
  for (int64_t s = 0; s < all->count; s++) free(mixed[s]);
}

/* A sequence that begins like another reads the other's pages. */
static void check_shared(const Kernels *kernels, int64_t page_size, int is_integer) {
  Sequences all = new_sequences(6, 2, 32, 2, 700);
  const int64_t shared = (all.lengths[1] - 1) / page_size, tokens = shared * page_size;
  memcpy(all.query[1], all.query[0], tokens * 6 * 32 * sizeof(float));
  memcpy(all.key[1], all.key[0], tokens * 2 * 32 * sizeof(float));
  memcpy(all.value[1], all.value[0], tokens * 2 * 32 * sizeof(float));
  float *mixed[MOST] = {exact(all.lengths[0] * 6 * 32 * sizeof(float)), exact(all.lengths[1] * 6 * 32 * sizeof(float))};
  run_alone(kernels, &all, page_size, is_integer);
  Pool pool = new_pool(&all, page_size, is_integer);
  memcpy(pool.of + pool.columns, pool.of, shared * sizeof(int32_t));
  run_step(kernels, &SERIAL, &all, &pool, &(Piece){0, 0, all.lengths[0]}, 1, mixed);
  run_steps(kernels, &all, &pool, (int64_t[MOST]){all.lengths[0], tokens}, 64, mixed);
  expect_same(kernels, &all, 0, 0, mixed, "sharing");
  expect_same(kernels, &all, 1, tokens, mixed, "sharing");
  free_pool(&pool), free(mixed[0]), free(mixed[1]), free_sequences(&all);
}

/* A NaN in one input of a token reaches those that see it, and no one else. */
static void check_nan(const Kernels *kernels) {
  const int64_t length = 300, at = 133, wide = 2 * 32;
  for (int input = 0; input < 3; input++) {
    Sequences all = new_sequences(2, 1, 32, 2, length);
    float *rows = input == 0 ? all.query[0] : input == 1 ? all.key[0] : all.value[0];
    rows[at * (input == 0 ? wide : 32) + 3] = NAN;
    Pool pool = new_pool(&all, 32, 1);
    Piece both[] = {{0, 0, length}, {1, 0, all.lengths[1]}};
    run_step(kernels, &TWO_THREADS, &all, &pool, both, 2, all.mixed);
    for (int64_t t = 0; t < length; t++)
      CHECK(isnan(all.mixed[0][t * wide + 3]) == (input == 0 ? t == at : t >= at), "pages %s: NaN in input %d, token %d",
            kernels->path, input, (int)t);
    for (int64_t i = 0; i < all.lengths[1] * wide; i++)
      CHECK(!isnan(all.mixed[1][i]), "pages %s: NaN in input %d of another sequence", kernels->path, input);
    free_pool(&pool), free_sequences(&all);
  }
}

/* Sums of integers are exact whatever the numbers are: all as large as they can be, or one far larger than the others. */
static void check_extremes(const Kernels *kernels) {
  for (int kind = 0; kind < 4; kind++) {
    Sequences all = new_sequences(2, 1, kind % 2 ? 256 : 64, 1, 520);
    const int64_t size = all.size;
    for (int64_t i = 0; i < 520 * size; i++) {
      const float one = kind < 2 ? 1 : i % size == 7 ? 1 : 1e-3f * (float)(i % 3 - 1);
      all.key[0][i] = 0.01f * one, all.value[0][i] = -1e4f * one;
      all.query[0][2 * i] = all.query[0][2 * i + 1] = one;
    }
    check_values(kernels, &all, 32, 1);
    free_sequences(&all);
  }
}

/* ---- times --------------------------------------------------------------------------------------------- */

/* `count` sequences get `tokens` tokens each after `past` others, in one layer after another as in a model: the pages of
   the layer before have left the caches. */
static void bench(const Kernels *kernels, int64_t heads, int64_t kv, int64_t size, int64_t count, int64_t past,
                  int64_t tokens) {
  enum { LAYERS = 12 };
  const int64_t page_size = 32, columns = (past + tokens + page_size - 1) / page_size, all = count * tokens;
  const int64_t stored = count * columns * page_size * kv * size, rows = past + tokens;
  int32_t *pages = exact(count * columns * sizeof(int32_t)), *sequence = exact(all * sizeof(int32_t));
  int32_t *positions = exact(all * sizeof(int32_t));
  for (int64_t i = 0; i < count * columns; i++) pages[i] = (int32_t)(i * 7919 % (count * columns));
  for (int64_t i = 0; i < all; i++) sequence[i] = (int32_t)(i / tokens), positions[i] = (int32_t)(past + i % tokens);
  float *query = random_floats(all * heads * size, 1), *key = random_floats(all * kv * size, 1);
  float *out = random_floats(all * heads * size, 1), *angles = random_floats(rows * size / 2, 1);
  uint16_t *pool = exact(2 * LAYERS * stored * sizeof(uint16_t));
  for (int64_t i = 0; i < 2 * LAYERS * stored; i++) pool[i] = random_bits() & 0x1fff;
  float *scales = random_floats(2 * LAYERS * stored / size, 1e-4);
  double best = 1e9;
  for (double begin = seconds_now(); seconds_now() - begin < 0.3;) {
    const double now = seconds_now();
    for (int64_t layer = 0; layer < LAYERS; layer++) {
      uint16_t *keys = pool + 2 * stored * layer;
      float *of = scales + 2 * stored / size * layer;
      kernels->paged_attention(&(PagedAttention){all, heads, kv, size, page_size, columns, query, key, key, keys,
                                                 keys + stored, of, pages, sequence, positions, angles, angles, out},
                               &TWO_THREADS);
    }
    best = fmin(best, (seconds_now() - now) / LAYERS);
  }
  const double pairs = (double)count * tokens * (past + (tokens + 1) / 2.0) * heads;
  printf("%-8s heads %d/%d of %d: %d x %d tokens after %d: %.0f us, %.1f GFLOP/s, %.1f GB/s of pages\n", kernels->path,
         (int)heads, (int)kv, (int)size, (int)count, (int)tokens, (int)past, best * 1e6, 4e-9 * pairs * size / best,
         4e-9 * count * rows * kv * size / best);
  free(pages), free(sequence), free(positions), free(query), free(key), free(out), free(angles), free(pool), free(scales);
}
static void bench_all(const Kernels *kernels) {
  static const int64_t shapes[][3] = {{9, 3, 64}, {32, 8, 128}};
  for (int i = 0; i < 2; i++) {
    const int64_t *s = shapes[i];
    for (int64_t past = 500; past <= 2000; past *= 2) bench(kernels, s[0], s[1], s[2], 1, past, 1);
    bench(kernels, s[0], s[1], s[2], 32, 500, 1);
    bench(kernels, s[0], s[1], s[2], 32, 2000, 1);
    bench(kernels, s[0], s[1], s[2], 1, 0, 512);
    bench(kernels, s[0], s[1], s[2], 1, 1536, 512);
  }
}

int main(int count, char **arguments) {
  const Kernels *usable[4];
  const int paths = usable_kernels(usable), timing = count > 1 && strcmp(arguments[1], "--bench") == 0;
  for (int i = 0; i < paths; i++) {
    if (timing) {
      if (strcmp(usable[i]->path, "amx") != 0) bench_all(usable[i]);
      continue;
    }
    for (int shape = 0; shape < 8; shape++) {
      const int64_t kv = shape == 0 ? 1 : random_between(1, 3), heads = kv * (shape == 0 ? 16 : random_between(1, 4));
      const int64_t size = shape == 1 ? 256 : 16 * random_between(1, 6), page_size = 16 * random_between(1, 3);
      Sequences all = new_sequences(heads, kv, size, random_between(1, MOST), shape < 2 ? 300 : random_between(1, 600));
      check_values(usable[i], &all, page_size, shape % 2);
      check_law(usable[i], &all, page_size, shape % 3 ? 32 : 16 * random_between(1, 40), shape % 2);
      free_sequences(&all);
    }
    check_shared(usable[i], 32, 1);
    check_shared(usable[i], 16, 0);
    check_nan(usable[i]);
    check_extremes(usable[i]);
  }
  return timing ? 0 : check_report("attention over pages");
}

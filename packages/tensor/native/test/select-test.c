/* The choice of tokens against sorting, in double precision: every way to choose, ties, masks, what is not finite. Where two
   roundings may fall to either side of a draw, either token is right. */
#include "check.h"

typedef struct {
  double value, weight;
  int32_t id;
} Candidate;

static int by_falling_value(const void *a, const void *b) {
  const Candidate *x = a, *y = b;
  if (x->value != y->value) return x->value > y->value ? -1 : 1;
  return x->id - y->id;
}
static int by_id(const void *a, const void *b) { return ((const Candidate *)a)->id - ((const Candidate *)b)->id; }

/* A row and all that decides its token. */
typedef struct {
  int64_t vocabulary;
  const float *logits;
  SelectNumbers numbers;
  SelectIntegers integers;
  const int32_t *mask; /* null for none */
  int64_t seen_count;
  const SelectSeen *seen;
  const SelectCounts *counts;
} Row;

/* What is chosen from, sorted. */
static Candidate *candidates_of(const Row *row) {
  Candidate *all = exact(row->vocabulary * sizeof *all);
  for (int32_t id = 0; id < row->vocabulary; id++) all[id] = (Candidate){row->logits[id], 0, id};
  for (int64_t i = 0; i < row->seen_count; i++) {
    double *value = &all[row->seen[i].id].value;
    const SelectNumbers *numbers = &row->numbers;
    if (row->counts[i].count > 0) {
      *value = *value > 0 ? *value / numbers->repetition_penalty : *value * numbers->repetition_penalty;
      *value -= (double)numbers->frequency_penalty * row->counts[i].count + numbers->presence_penalty;
    }
    *value = (float)(*value + row->counts[i].bias);
  }
  for (int32_t id = 0; row->mask && id < row->vocabulary; id++)
    if (!((uint32_t)row->mask[id / 32] >> id % 32 & 1)) all[id].value = -INFINITY;
  qsort(all, row->vocabulary, sizeof *all, by_falling_value);
  return all;
}

/* The token that sorting and adding gives for a draw. */
static int32_t token_of(const Row *row, double uniform) {
  Candidate *all = candidates_of(row);
  int64_t kept = row->integers.top_k > 0 && row->integers.top_k < row->vocabulary ? row->integers.top_k : row->vocabulary;
  double total = 0, sum = 0, largest = all[0].value;
  int32_t token = all[0].id;
  for (int64_t i = 0; i < kept; i++) {
    all[i].weight = exp((all[i].value - largest) / row->numbers.temperature);
    total += all[i].weight;
  }
  int64_t nucleus = 0;
  while (nucleus < kept && (row->numbers.top_p >= 1 || sum < row->numbers.top_p * total)) sum += all[nucleus++].weight;
  kept = 0;
  while (kept < nucleus && all[kept].weight >= row->numbers.min_p) kept++;
  qsort(all, kept, sizeof *all, by_id);
  double rest = 0;
  for (int64_t i = 0; i < kept; i++) rest += uniform * all[i].weight;
  for (int64_t i = 0; row->numbers.temperature > 0 && rest >= 0 && i < kept; i++) {
    if (all[i].weight > 0) token = all[i].id;
    rest -= all[i].weight;
  }
  free(all);
  return token;
}

static double log_prob_of(const Row *row, int32_t token) {
  double largest = -INFINITY, total = 0;
  for (int64_t i = 0; i < row->vocabulary; i++) largest = fmax(largest, row->logits[i]);
  for (int64_t i = 0; i < row->vocabulary; i++) total += exp(row->logits[i] - largest);
  return row->logits[token] - largest - log(total);
}

enum { MOST_ROWS = 12, TOP = 5, WIDTH = 8 };

typedef struct {
  int32_t token[MOST_ROWS], is_greedy[MOST_ROWS], top_ids[MOST_ROWS * TOP];
  float log_prob[MOST_ROWS], top_log_probs[MOST_ROWS * TOP];
} Results;

static SelectTokens arguments_of(const Row *rows, int64_t count, int64_t top, Results *results) {
  int64_t vocabulary = rows[0].vocabulary, words = (vocabulary + 31) / 32, seen_count = 0, mask_count = 0;
  for (int64_t i = 0; i < count; i++) seen_count += rows[i].seen_count, mask_count += rows[i].mask != NULL;
  float *logits = exact(count * vocabulary * 4);
  SelectNumbers *numbers = exact(count * sizeof *numbers);
  SelectIntegers *integers = exact(count * sizeof *integers);
  SelectSeen *seen = exact(seen_count * sizeof *seen);
  SelectCounts *counts = exact(seen_count * sizeof *counts);
  int32_t *masks = exact(mask_count * words * 4);
  seen_count = mask_count = 0;
  for (int64_t i = 0; i < count; i++) {
    memcpy(logits + i * vocabulary, rows[i].logits, vocabulary * 4);
    numbers[i] = rows[i].numbers, integers[i] = rows[i].integers;
    for (int64_t at = 0; at < rows[i].seen_count; at++, seen_count++)
      seen[seen_count] = (SelectSeen){(int32_t)i, rows[i].seen[at].id}, counts[seen_count] = rows[i].counts[at];
    integers[i].mask = rows[i].mask ? (int32_t)mask_count : -1;
    if (rows[i].mask) memcpy(masks + mask_count++ * words, rows[i].mask, words * 4);
  }
  return (SelectTokens){count, vocabulary, seen_count, top, logits, numbers, integers, seen, counts, masks, results->token,
                        results->log_prob, results->is_greedy, results->top_ids, results->top_log_probs};
}
static void free_arguments(const SelectTokens *p) {
  free((void *)p->logits), free((void *)p->numbers), free((void *)p->integers);
  free((void *)p->seen), free((void *)p->counts), free((void *)p->masks);
}
static Results select_all(const Kernels *kernels, const Row *rows, int64_t count, int64_t top) {
  Results results;
  SelectTokens arguments = arguments_of(rows, count, top, &results);
  kernels->select_tokens(&arguments, &TWO_THREADS);
  free_arguments(&arguments);
  return results;
}

/* ---- random rows ----------------------------------------------------------------------------------------------------- */

static float one_of(const float *values, int count) { return values[random_between(0, count - 1)]; }
#define ONE_OF(...) one_of((const float[]){__VA_ARGS__}, sizeof((const float[]){__VA_ARGS__}) / sizeof(float))

/* Some rows have many equal logits. */
static Row random_row(int64_t vocabulary) {
  int has_ties = random_between(0, 2) == 0;
  float *logits = random_floats(vocabulary, ONE_OF(2, 12));
  for (int64_t i = 0; has_ties && i < vocabulary; i++) logits[i] = roundf(logits[i]);
  Row row = {.vocabulary = vocabulary, .logits = logits};
  row.numbers = (SelectNumbers){ONE_OF(0, 0.3f, 1, 1, 2.5f), ONE_OF(1, 1, 0.95f, 0.5f, 0.01f), ONE_OF(0, 0, 0.05f, 1),
                                fabsf(random_float(1)), ONE_OF(1, 1.2f), ONE_OF(0, 0.4f), ONE_OF(0, -0.3f), 0};
  row.integers = (SelectIntegers){ONE_OF(0, 0, 1, 3, 40, 300, 1000), -1, -1, 0};
  if (random_between(0, 1)) {
    int32_t *mask = exact((vocabulary + 31) / 32 * 4);
    for (int64_t i = 0; i < (vocabulary + 31) / 32; i++) mask[i] = random_bits() & (random_between(0, 1) ? random_bits() : -1u);
    mask[0] |= 1;
    row.mask = mask;
  }
  row.seen_count = random_between(0, 1) * random_between(0, vocabulary < 50 ? vocabulary : 50);
  SelectSeen *seen = exact(row.seen_count * sizeof *seen);
  SelectCounts *counts = exact(row.seen_count * sizeof *counts);
  int64_t step = row.seen_count ? vocabulary / row.seen_count : 0;
  for (int64_t i = 0; i < row.seen_count; i++) {
    seen[i] = (SelectSeen){0, (int32_t)(i * step)};
    counts[i] = (SelectCounts){(float)random_between(0, 3), random_between(0, 1) ? random_float(3) : 0};
  }
  row.seen = seen, row.counts = counts;
  return row;
}
static void free_row(const Row *row) {
  free((void *)row->logits), free((void *)row->mask), free((void *)row->seen), free((void *)row->counts);
}

static void check_row(const Kernels *kernels, const Row *row, const Results *results, int64_t index, int64_t top) {
  int32_t token = results->token[index];
  int is_forced = row->integers.forced >= 0;
  int32_t low = is_forced ? row->integers.forced : token_of(row, fmax(0, row->numbers.uniform - 1e-5));
  int32_t high = is_forced ? low : token_of(row, fmin(1, row->numbers.uniform + 1e-5));
  CHECK(token >= low && token <= high, "%s select_tokens of %ld, temperature %g, top-k %d, top-p %g, min-p %g: %d is not in %d ... %d",
        kernels->path, (long)row->vocabulary, row->numbers.temperature, row->integers.top_k, row->numbers.top_p,
        row->numbers.min_p, token, low, high);
  if (token < 0 || token >= row->vocabulary) return;
  CHECK(fabs(results->log_prob[index] - log_prob_of(row, token)) < 1e-5, "%s select_tokens of %ld: log-probability",
        kernels->path, (long)row->vocabulary);
  Candidate *all = candidates_of(&(Row){.vocabulary = row->vocabulary, .logits = row->logits});
  CHECK(results->is_greedy[index] == (token == all[0].id), "%s select_tokens: is greedy", kernels->path);
  for (int64_t i = 0; i < top; i++) {
    int32_t id = results->top_ids[index * top + i];
    CHECK(id == all[i].id, "%s select_tokens of %ld: alternative %ld", kernels->path, (long)row->vocabulary, (long)i);
    CHECK(fabs(results->top_log_probs[index * top + i] - log_prob_of(row, all[i].id)) < 1e-5,
          "%s select_tokens of %ld: log-probability of an alternative", kernels->path, (long)row->vocabulary);
  }
  free(all);
}

static void check_batch(const Kernels *kernels, int64_t count, int64_t vocabulary) {
  Row rows[MOST_ROWS] = {0};
  int64_t top = vocabulary < TOP ? vocabulary : random_between(0, TOP);
  for (int64_t i = 0; i < count; i++) {
    rows[i] = random_row(vocabulary);
    if (random_between(0, 9) == 0) rows[i].integers.forced = (int32_t)random_between(0, vocabulary - 1);
  }
  Results together = select_all(kernels, rows, count, top);
  for (int64_t i = 0; i < count; i++) {
    check_row(kernels, &rows[i], &together, i, top);
    Results alone = select_all(kernels, &rows[i], 1, top);
    int is_same = alone.token[0] == together.token[i] && memcmp(alone.log_prob, together.log_prob + i, 4) == 0 &&
                  memcmp(alone.top_log_probs, together.top_log_probs + i * top, top * 4) == 0;
    CHECK(is_same, "%s select_tokens: a row among others differs from itself alone", kernels->path);
    free_row(&rows[i]);
  }
}

/* Uniform numbers over an even grid give each token its share. */
static void check_shares(const Kernels *kernels) {
  enum { POINTS = 2000 };
  const float logits[WIDTH] = {1, 3, 2, 3, -4, -INFINITY, 0.5f, 2};
  Row row = {.vocabulary = WIDTH, .logits = logits, .numbers = {2, 1, 0, 0, 1, 0, 0, 0}, .integers = {0, -1, -1, 0}};
  double shares[WIDTH] = {0}, total = 0;
  for (int i = 0; i < POINTS; i++) {
    row.numbers.uniform = (i + 0.5f) / POINTS;
    shares[select_all(kernels, &row, 1, 0).token[0]] += 1.0 / POINTS;
  }
  for (int i = 0; i < WIDTH; i++) total += exp(logits[i] / 2);
  for (int i = 0; i < WIDTH; i++)
    CHECK(fabs(shares[i] - exp(logits[i] / 2) / total) < 1.0 / POINTS, "%s select_tokens: token %d has share %g",
          kernels->path, i, shares[i]);
}

static void check_edges(const Kernels *kernels) {
  enum { LONG = 3000 };
  const float wrong[] = {NAN, INFINITY, -NAN};
  for (int i = 0; i < 6; i++) {
    float *logits = random_floats(LONG, 4);
    logits[i < 3 ? LONG - 1 : 7] = wrong[i % 3];
    Row row = {.vocabulary = LONG, .logits = logits, .numbers = {1, 1, 0, 0.5f, 1, 0, 0, 0}, .integers = {0, i % 2 - 1, -1, 0}};
    Results results = select_all(kernels, &row, 1, 2);
    CHECK(results.token[0] == -1 && isnan(results.log_prob[0]) && !results.is_greedy[0] && results.top_ids[1] == -1 &&
              isnan(results.top_log_probs[1]),
          "%s select_tokens: takes %g", kernels->path, wrong[i % 3]);
    free(logits);
  }
  float logits[WIDTH] = {0, 1, 2, 3, 4, 5, 6, 7};
  int32_t nothing = 0;
  Row row = {.vocabulary = WIDTH, .logits = logits, .numbers = {1, 1, 0, 0.5f, 1, 0, 0, 0}, .integers = {0, -1, 0, 0}, .mask = &nothing};
  Results results = select_all(kernels, &row, 1, 1);
  CHECK(results.token[0] == -1 && isnan(results.log_prob[0]) && results.top_ids[0] == 7, "%s select_tokens: an empty mask",
        kernels->path);
  row.mask = NULL, row.numbers.uniform = 1;
  CHECK(select_all(kernels, &row, 1, 0).token[0] == 7, "%s select_tokens: a draw of 1", kernels->path);
  row.numbers.temperature = 1e-42f, row.numbers.uniform = 0.9f;
  CHECK(select_all(kernels, &row, 1, 0).token[0] == 7, "%s select_tokens: almost no temperature", kernels->path);
  row.seen_count = 1, row.seen = &(SelectSeen){0, 3}, row.counts = &(SelectCounts){1, INFINITY};
  CHECK(select_all(kernels, &row, 1, 0).token[0] == -1, "%s select_tokens: an infinite bias", kernels->path);
  row.counts = &(SelectCounts){1, NAN};
  CHECK(select_all(kernels, &row, 1, 0).token[0] == -1, "%s select_tokens: a bias that is no number", kernels->path);
  for (int i = 0; i < WIDTH; i++) logits[i] = -INFINITY;
  CHECK(select_all(kernels, &row, 1, 0).token[0] == -1, "%s select_tokens: nothing possible", kernels->path);
}

static void bench(const Kernels *kernels) {
  enum { VOCABULARY = 49152, REPEATS = 200 };
  float *logits = random_floats(VOCABULARY, 8);
  const struct {
    const char *name;
    SelectNumbers numbers;
    int32_t top_k;
  } ways[] = {{"greedy", {.temperature = 0}, 0},
              {"temperature", {.temperature = 1, .top_p = 1, .uniform = 0.5f}, 0},
              {"top-k 40, top-p 0.95", {.temperature = 1, .top_p = 0.95f, .uniform = 0.5f}, 40},
              {"top-p 0.95", {.temperature = 1, .top_p = 0.95f, .uniform = 0.5f}, 0},
              {"top-k 1000", {.temperature = 1, .top_p = 1, .uniform = 0.5f}, 1000}};
  for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
    Results results;
    Row row = {.vocabulary = VOCABULARY, .logits = logits, .numbers = ways[way].numbers, .integers = {ways[way].top_k, -1, -1, 0}};
    SelectTokens arguments = arguments_of(&row, 1, TOP, &results);
    double best = 1e9;
    for (int i = 0; i < REPEATS; i++) {
      double start = seconds_now();
      kernels->select_tokens(&arguments, &SERIAL);
      best = fmin(best, seconds_now() - start);
    }
    printf("%-9s one row of %d, one thread, %s: %.0f us\n", kernels->path, VOCABULARY, ways[way].name, best * 1e6);
    free_arguments(&arguments);
  }
  free(logits);
}

int main(int count, char **arguments) {
  const Kernels *usable[4];
  int paths = usable_kernels(usable);
  for (int path = 0; path < paths; path++) {
    if (count > 1 && strcmp(arguments[1], "--bench") == 0) {
      bench(usable[path]);
      continue;
    }
    const int64_t vocabularies[] = {1, 2, 16, 33, 511, 513, 1024, 4099};
    for (size_t i = 0; i < sizeof vocabularies / sizeof *vocabularies; i++)
      for (int repeat = 0; repeat < 8; repeat++) check_batch(usable[path], random_between(1, MOST_ROWS), vocabularies[i]);
    check_batch(usable[path], 3, 49152);
    check_shares(usable[path]);
    check_edges(usable[path]);
  }
  return check_report("select");
}

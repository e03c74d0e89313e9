/* The next token of each row of logits: penalties, biases and mask, then the largest, or a draw. A row is one piece of work,
   computed alike whatever else there is. Nothing is sorted: where top-k and top-p cut is a threshold, found by bisection. */
#include "kernels.h"
#include "scratch.h"
#include "vector.h"

/* Slots of scratch memory. */
enum { SELECT_CHANGED, SELECT_WEIGHTS, SELECT_LIST_VALUES, SELECT_LIST_WEIGHTS, SELECT_LIST_IDS };

/* The first index that holds the value; `count` when none does. */
static int64_t select_first_of(const float *x, int64_t count, float value) {
  int64_t i = 0;
  while (i + LANES <= count && !any_lanes(load(x + i) == splat(value))) i += LANES;
  while (i < count && x[i] != value) i++;
  return i;
}

/* ---- what changes the logits ----------------------------------------------------------------------------------------- */

/* In double precision and rounded once, so that every path and the definition give the same number. */
static float select_penalise(double logit, const SelectNumbers *numbers, SelectCounts counts) {
  if (counts.count > 0) {
    logit = logit > 0 ? logit / numbers->repetition_penalty : logit * numbers->repetition_penalty;
    logit = logit - (double)numbers->frequency_penalty * counts.count - numbers->presence_penalty;
  }
  return (float)(logit + counts.bias);
}

/* Minus infinity where a bit is 0. A vector never crosses a word. */
static void select_mask(float *z, int64_t count, const int32_t *words) {
  Ints lanes;
  for (int lane = 0; lane < LANES; lane++) lanes[lane] = lane;
  for (int64_t i = 0; i < count; i += LANES) {
    Ints bits = (words[i / 32] - (Ints){}) >> (lanes + (int32_t)(i % 32));
    Floats allowed = select_floats((bits & 1) != 0, load_first(z + i, count - i), splat(-INFINITY));
    store_first(z + i, allowed, count - i);
  }
}

static int64_t select_first_seen(const SelectTokens *p, int64_t row) {
  int64_t low = 0, high = p->seen_count;
  while (low < high) {
    int64_t middle = (low + high) / 2;
    if (p->seen[middle].row < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* The row's logits as they are chosen from: its own memory when nothing changes them; null when one is not a number. */
static const float *select_changed(const SelectTokens *p, int64_t row) {
  const float *logits = p->logits + row * p->vocabulary;
  int64_t seen = select_first_seen(p, row), end = select_first_seen(p, row + 1);
  int32_t mask = p->integers[row].mask;
  if (seen == end && mask < 0) return logits;
  float *z = scratch(SELECT_CHANGED, p->vocabulary * sizeof(float));
  memcpy(z, logits, p->vocabulary * sizeof(float));
  for (; seen < end; seen++) {
    float *each = &z[p->seen[seen].id];
    *each = select_penalise(*each, &p->numbers[row], p->counts[seen]);
    if (isnan(*each)) return NULL;
  }
  if (mask >= 0) select_mask(z, p->vocabulary, p->masks + mask * ((p->vocabulary + 31) / 32));
  return z;
}

/* ---- candidates and their threshold ---------------------------------------------------------------------------------- */

#define SELECT_STEP (4 * LANES)

/* Tokens in the order of their ids; up to a multiple of SELECT_STEP values are NaN, which no threshold lets in. */
typedef struct {
  int64_t count;
  float *values, *weights;
  int32_t *ids;
} SelectList;

static void select_pad(SelectList *list) {
  for (int64_t i = list->count; i % SELECT_STEP != 0; i++) list->values[i] = NAN, list->weights[i] = 0;
}

/* Weights, or the number where they are null, of the values from `least` on; `values` is padded as a list's. It never
   falls when `least` does: all sums are in one order. */
static float select_measure(const float *values, const float *weights, int64_t count, float least) {
  Floats sums[4] = {};
  for (int64_t i = 0; i < count; i += SELECT_STEP)
    for (int part = 0; part < 4; part++) {
      int64_t at = i + part * LANES;
      Floats each = weights ? load(weights + at) : splat(1);
      sums[part] += select_floats(load(values + at) >= splat(least), each, splat(0));
    }
  return sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/* Integers in the order of the floats that have these bits, and back. */
static inline int32_t select_flip(int32_t bits) { return bits ^ (bits >> 31 & INT32_MAX); }
static inline int32_t select_key(float value) {
  int32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return select_flip(bits);
}
static inline float select_value(int32_t key) {
  int32_t bits = select_flip(key);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* The largest value from which on the measure reaches `target`, which is positive. */
static float select_threshold(const float *values, const float *weights, int64_t count, float target, float largest) {
  int64_t low = select_key(-INFINITY), high = (int64_t)select_key(largest) + 1;
  while (high - low > 1) {
    int32_t middle = (int32_t)((low + high) / 2);
    if (select_measure(values, weights, count, select_value(middle)) >= target) low = middle;
    else high = middle;
  }
  return select_value((int32_t)low);
}

/* Leaves the candidates, by falling value and among equals by rising id, that it takes to reach the target. */
static void select_cut(SelectList *list, const float *weights, float target, float largest) {
  float least = select_threshold(list->values, weights, list->count, target, largest);
  float reached = select_measure(list->values, weights, list->count, nextafterf(least, INFINITY));
  int64_t kept = 0;
  for (int64_t i = 0; i < list->count; i++) {
    float value = list->values[i];
    if (value < least || (value == least && reached >= target)) continue;
    if (value == least) reached += weights ? weights[i] : 1;
    list->values[kept] = value, list->weights[kept] = list->weights[i], list->ids[kept] = list->ids[i];
    kept++;
  }
  list->count = kept;
  select_pad(list);
}

#define SELECT_STRIPES 512

/* A number that `top_k` of the values reach: the largest of that many stripes do. */
static float select_bound(const float *z, int64_t count, int64_t top_k, float largest) {
  if (top_k > SELECT_STRIPES) return -INFINITY;
  float stripes[SELECT_STRIPES];
  for (int i = 0; i < SELECT_STRIPES; i++) stripes[i] = -INFINITY;
  int64_t i = 0;
  for (; i + SELECT_STRIPES <= count; i += SELECT_STRIPES)
    for (int at = 0; at < SELECT_STRIPES; at += LANES)
      store(stripes + at, max_floats(load(z + i + at), load(stripes + at)));
  for (int at = 0; i + at < count; at++) stripes[at] = fmaxf(z[i + at], stripes[at]);
  return select_threshold(stripes, NULL, SELECT_STRIPES, (float)top_k, largest);
}

/* exp((x - largest) / temperature) */
typedef struct {
  float largest, inverse_temperature;
} SelectHeat;

static void select_weigh(const float *x, int64_t count, SelectHeat heat, float *weights) {
  Floats shift = splat(heat.largest), factor = splat(heat.inverse_temperature);
  for (int64_t i = 0; i < count; i += LANES)
    store_first(weights + i, exp_floats((load_first(x + i, count - i) - shift) * factor), count - i);
}

/* Those tokens of `z` whose number in `by` is `least` at least. */
static SelectList select_collect(const float *z, const float *by, int64_t count, float least, SelectHeat heat) {
  int64_t room = count + SELECT_STEP;
  SelectList list = {0, scratch(SELECT_LIST_VALUES, room * sizeof(float)),
                     scratch(SELECT_LIST_WEIGHTS, room * sizeof(float)), scratch(SELECT_LIST_IDS, room * sizeof(int32_t))};
  for (int64_t i = 0; i < count; i += LANES) {
    if (i + LANES <= count && !any_lanes(load(by + i) >= splat(least))) continue;
    for (int64_t id = i; id < i + LANES && id < count; id++) {
      if (by[id] < least) continue;
      list.values[list.count] = z[id], list.ids[list.count] = (int32_t)id;
      list.count++;
    }
  }
  select_weigh(list.values, list.count, heat, list.weights);
  select_pad(&list);
  return list;
}

/* ---- the draw -------------------------------------------------------------------------------------------------------- */

/* Weights that are added in single precision. */
#define SELECT_BLOCK 1024

/* The sum of the weights of at least `least`. */
static double select_sum(const float *weights, int64_t count, float least) {
  Floats sums[4] = {};
  int64_t i = 0;
  for (; i + SELECT_STEP <= count; i += SELECT_STEP)
    for (int part = 0; part < 4; part++) {
      Floats each = load(weights + i + part * LANES);
      sums[part] += select_floats(each >= splat(least), each, splat(0));
    }
  for (; i < count; i += LANES) {
    Floats each = load_first(weights + i, count - i);
    sums[0] += select_floats(each >= splat(least), each, splat(0));
  }
  return sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}
static inline int64_t select_block(int64_t count, int64_t start) {
  return count - start < SELECT_BLOCK ? count - start : SELECT_BLOCK;
}
static double select_total(const float *weights, int64_t count, float least) {
  double total = 0;
  for (int64_t i = 0; i < count; i += SELECT_BLOCK) total += select_sum(weights + i, select_block(count, i), least);
  return total;
}

/* The first index at which the cumulated weights of at least `least` exceed the share `uniform` of their sum; where
   rounding leaves a rest, the last one that has any weight. */
static int64_t select_draw(const float *weights, int64_t count, float least, float uniform) {
  double rest = uniform * select_total(weights, count, least);
  for (int64_t start = 0; start < count; start += SELECT_BLOCK) {
    int64_t length = select_block(count, start);
    double sum = select_sum(weights + start, length, least);
    if (rest >= sum) {
      rest -= sum;
      continue;
    }
    for (int64_t i = start; i < start + length; i++) {
      if (weights[i] < least) continue;
      rest -= weights[i];
      if (rest < 0) return i;
    }
  }
  int64_t last = count - 1;
  while (last > 0 && !(weights[last] > 0 && weights[last] >= least)) last--;
  return last;
}

/* The token that the row's numbers choose of `z`, whose largest is finite. */
static int64_t select_choose(const float *z, int64_t count, float largest, const SelectNumbers *how, int64_t top_k) {
  if (!(how->temperature > 0)) return select_first_of(z, count, largest);
  SelectHeat heat = {largest, fminf(1 / how->temperature, __FLT_MAX__)};
  float least = fminf(how->min_p, 1); /* of the weights: the largest is 1 */
  int has_top_k = top_k > 0 && top_k < count, has_top_p = how->top_p < 1;
  SelectList list;
  float total = 0;
  if (has_top_k) {
    list = select_collect(z, z, count, select_bound(z, count, top_k, largest), heat);
    select_cut(&list, NULL, (float)top_k, largest);
    total = select_measure(list.values, list.weights, list.count, -INFINITY);
  } else {
    float *weights = scratch(SELECT_WEIGHTS, count * sizeof(float));
    select_weigh(z, count, heat, weights);
    if (!has_top_p) return select_draw(weights, count, least, how->uniform);
    total = (float)select_total(weights, count, 0);
    /* All that are lighter than twice this hold less than 1 - top_p together. */
    list = select_collect(z, weights, count, (1 - how->top_p) * total / (2 * (float)count), heat);
  }
  if (has_top_p) select_cut(&list, list.weights, fmaxf(how->top_p * total, __FLT_MIN__), largest);
  return list.ids[select_draw(list.weights, list.count, least, how->uniform)];
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

/* The largest values and their ids in falling order, the lower id first among equals. */
static void select_top(const float *x, int64_t count, int64_t top, int32_t *ids, float *values) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; i += LANES) {
    if (found == top && i + LANES <= count && !any_lanes(load(x + i) > splat(values[top - 1]))) continue;
    for (int64_t id = i; id < i + LANES && id < count; id++) {
      if (found == top && !(x[id] > values[top - 1])) continue;
      int64_t at = found < top ? found++ : top - 1;
      for (; at > 0 && x[id] > values[at - 1]; at--) values[at] = values[at - 1], ids[at] = ids[at - 1];
      values[at] = x[id], ids[at] = (int32_t)id;
    }
  }
}

/* The chosen token; -1 when there is nothing to choose from. */
static int64_t select_token(const SelectTokens *p, int64_t row, int64_t best) {
  const float *logits = p->logits + row * p->vocabulary, *z = select_changed(p, row);
  if (z == NULL) return -1;
  float largest = z == logits ? logits[best] : cross_entropy_largest(z, p->vocabulary);
  /* The largest of nothing but minus infinity is a number that is not there. */
  if (!isfinite(largest) || select_first_of(z, p->vocabulary, largest) == p->vocabulary) return -1;
  return select_choose(z, p->vocabulary, largest, &p->numbers[row], p->integers[row].top_k);
}

static void select_row(void *argument, size_t row) {
  const SelectTokens *p = argument;
  const float *logits = p->logits + row * p->vocabulary;
  int32_t *top_ids = p->top_ids + row * p->top;
  float *top_log_probs = p->top_log_probs + row * p->top;
  CrossEntropySum sum = cross_entropy_sum(logits, p->vocabulary);
  int is_good = sum.total > 0; /* neither NaN nor infinity among the logits, and something beside minus infinity */
  double log_sum = sum.largest + log(sum.total);
  int64_t best = is_good ? select_first_of(logits, p->vocabulary, sum.largest) : -1, token = p->integers[row].forced;
  if (!is_good) token = -1;
  else if (token < 0) token = select_token(p, row, best);
  p->token[row] = (int32_t)token;
  p->log_prob[row] = token < 0 ? NAN : (float)(logits[token] - log_sum);
  p->is_greedy[row] = token >= 0 && token == best;
  if (is_good && p->top > 0) select_top(logits, p->vocabulary, p->top, top_ids, top_log_probs);
  for (int64_t i = 0; i < p->top; i++) {
    if (!is_good) top_ids[i] = -1, top_log_probs[i] = NAN;
    else top_log_probs[i] = (float)(top_log_probs[i] - log_sum);
  }
}

static void select_tokens(const SelectTokens *p, const Parallel *parallel) {
  parallel_for(parallel, select_row, p->rows, (void *)p);
}

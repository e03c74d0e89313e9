/* Attention against plain double loops, on random ragged shapes, alone and packed; --bench times three shapes, each in
   float32 and with rounded products. */
#include "check.h"

typedef struct {
  Attention args;
  float *inputs[8], *outputs[5];
  int32_t *starts;
} Case;
enum { QUERY, KEY, VALUE, COS, SIN, D_MIXED, INPUTS };
enum { MIXED, LOG_SUM_EXP, D_QUERY, D_KEY, D_VALUE, OUTPUTS };
static const char *const OUTPUT_NAMES[OUTPUTS] = {"mixed", "log_sum_exp", "d_query", "d_key", "d_value"};

static int64_t query_size(const Attention *p) { return p->batch * p->length * p->heads * p->head_size; }
static int64_t key_size(const Attention *p) { return p->batch * p->length * p->key_value_heads * p->head_size; }
static int64_t output_size(const Attention *p, int output) {
  if (output == LOG_SUM_EXP) return p->batch * p->heads * p->length;
  return output == D_KEY || output == D_VALUE ? key_size(p) : query_size(p);
}

/* Documents of random lengths, at least one token each. */
static int32_t *random_starts(int64_t batch, int64_t length, int64_t longest) {
  int32_t *starts = exact(batch * length * sizeof(int32_t));
  for (int64_t b = 0; b < batch; b++)
    for (int64_t t = 0, start = 0, end = 0; t < length; t++) {
      if (t == end) start = t, end = t + random_between(1, longest);
      starts[b * length + t] = (int32_t)start;
    }
  return starts;
}

static Case new_case(int64_t batch, int64_t length, int64_t heads, int64_t key_value_heads, int64_t head_size,
                     int64_t longest_document) {
  Case c = {.args = {batch, length, heads, key_value_heads, head_size, .allow_bfloat16 = 1}};
  const int64_t angles = length * head_size / 2;
  const int64_t sizes[INPUTS] = {query_size(&c.args), key_size(&c.args), key_size(&c.args),
                                 angles,              angles,            query_size(&c.args)};
  for (int i = 0; i < INPUTS; i++) c.inputs[i] = random_floats(sizes[i], 1);
  for (int64_t i = 0; i < sizes[QUERY]; i++) c.inputs[QUERY][i] *= 2;
  for (int64_t i = 0; i < angles; i++) {
    const float angle = random_float(3.14159f);
    c.inputs[COS][i] = cosf(angle);
    c.inputs[SIN][i] = sinf(angle);
  }
  if (longest_document > 0) c.starts = random_starts(batch, length, longest_document);
  for (int i = 0; i < OUTPUTS; i++) c.outputs[i] = exact(output_size(&c.args, i) * sizeof(float));
  Attention *p = &c.args;
  p->query = c.inputs[QUERY], p->key = c.inputs[KEY], p->value = c.inputs[VALUE];
  p->cos = c.inputs[COS], p->sin = c.inputs[SIN], p->d_mixed = c.inputs[D_MIXED], p->starts = c.starts;
  p->mixed = c.outputs[MIXED], p->log_sum_exp = c.outputs[LOG_SUM_EXP];
  p->d_query = c.outputs[D_QUERY], p->d_key = c.outputs[D_KEY], p->d_value = c.outputs[D_VALUE];
  return c;
}
static void free_case(Case *c) {
  for (int i = 0; i < INPUTS; i++) free(c->inputs[i]);
  for (int i = 0; i < OUTPUTS; i++) free(c->outputs[i]);
  free(c->starts);
}

/* ---- plain loops in double ----------------------------------------------------------------------------- */

static void rotate(const Attention *p, int64_t token, int direction, const double *x, double *y) {
  const int64_t half = p->head_size / 2;
  for (int64_t i = 0; i < half; i++) {
    const double c = p->cos[token * half + i], s = direction * (double)p->sin[token * half + i];
    const double low = x[i], high = x[half + i];
    y[i] = low * c - high * s;
    y[half + i] = high * c + low * s;
  }
}
static double dot(const double *a, const double *b, int64_t size) {
  double total = 0;
  for (int64_t i = 0; i < size; i++) total += a[i] * b[i];
  return total;
}
/* [batch, length, heads, size] -> doubles, turned by position when asked */
static double *widen(const Attention *p, const float *x, int64_t heads, int turned) {
  const int64_t size = p->head_size;
  double *y = exact(p->batch * p->length * heads * size * sizeof(double)), row[256];
  for (int64_t r = 0; r < p->batch * p->length * heads; r++) {
    for (int64_t i = 0; i < size; i++) row[i] = x[r * size + i];
    if (turned) rotate(p, r / heads % p->length, 1, row, y + r * size);
    else memcpy(y + r * size, row, size * sizeof(double));
  }
  return y;
}

static void plain_attention(const Attention *p, double *expected[OUTPUTS]) {
  const int64_t size = p->head_size, kv = p->key_value_heads, group = p->heads / kv;
  double *query = widen(p, p->query, p->heads, 1), *key = widen(p, p->key, kv, 1);
  double *value = widen(p, p->value, kv, 0), *d_mixed = widen(p, p->d_mixed, p->heads, 0);
  double *shares = exact(p->length * sizeof(double)), scale = 1 / sqrt((double)size);
  for (int i = 0; i < OUTPUTS; i++) expected[i] = calloc(output_size(p, i), sizeof(double));
  for (int64_t b = 0; b < p->batch; b++)
    for (int64_t h = 0; h < p->heads; h++)
      for (int64_t t = 0; t < p->length; t++) {
        const int64_t q = ((b * p->length + t) * p->heads + h) * size;
        const int64_t first = p->starts ? p->starts[b * p->length + t] : 0;
        double largest = -INFINITY, sum = 0;
        for (int64_t s = first; s <= t; s++) {
          shares[s] = scale * dot(query + q, key + ((b * p->length + s) * kv + h / group) * size, size);
          largest = fmax(largest, shares[s]);
        }
        for (int64_t s = first; s <= t; s++) sum += exp(shares[s] - largest);
        const double log_sum = largest + log(sum);
        expected[LOG_SUM_EXP][(b * p->heads + h) * p->length + t] = log_sum;
        double mixed_dot = 0;
        for (int64_t s = first; s <= t; s++) {
          const int64_t k = ((b * p->length + s) * kv + h / group) * size;
          shares[s] = exp(shares[s] - log_sum);
          mixed_dot += shares[s] * dot(d_mixed + q, value + k, size);
          for (int64_t i = 0; i < size; i++) expected[MIXED][q + i] += shares[s] * value[k + i];
        }
        for (int64_t s = first; s <= t; s++) {
          const int64_t k = ((b * p->length + s) * kv + h / group) * size;
          const double d_score = scale * shares[s] * (dot(d_mixed + q, value + k, size) - mixed_dot);
          for (int64_t i = 0; i < size; i++) {
            expected[D_QUERY][q + i] += d_score * key[k + i];
            expected[D_KEY][k + i] += d_score * query[q + i];
            expected[D_VALUE][k + i] += shares[s] * d_mixed[q + i];
          }
        }
      }
  double turned[256];
  for (int output = D_QUERY; output <= D_KEY; output++) {
    const int64_t heads = output == D_KEY ? kv : p->heads;
    for (int64_t r = 0; r < p->batch * p->length * heads; r++) {
      rotate(p, r / heads % p->length, -1, expected[output] + r * size, turned);
      memcpy(expected[output] + r * size, turned, size * sizeof(double));
    }
  }
  free(query), free(key), free(value), free(d_mixed), free(shares);
}

/* ---- tests --------------------------------------------------------------------------------------------- */

static void spoil(Case *c) {
  for (int i = 0; i < OUTPUTS; i++)
    for (int64_t j = 0; j < output_size(&c->args, i); j++) c->outputs[i][j] = NAN;
}

/* Every output within `allowed` of what is expected. */
static void compare(const Kernels *kernels, const Case *c, double *const expected[OUTPUTS], double allowed) {
  const Attention *p = &c->args;
  for (int i = 0; i < OUTPUTS; i++) {
    const double error = relative_error(c->outputs[i], expected[i], output_size(p, i));
    CHECK(error < allowed, "attention %s%s: %s off by %g: batch %d length %d heads %d/%d size %d", kernels->path,
          p->allow_bfloat16 ? "" : " in float32", OUTPUT_NAMES[i], error, (int)p->batch, (int)p->length, (int)p->heads,
          (int)p->key_value_heads, (int)p->head_size);
  }
}

/* What a path's attention may be off by where it may round. */
static double rounding_error(const Kernels *kernels) {
  if (strcmp(kernels->path, "amx") == 0) return 8e-3;
  return strcmp(kernels->path, "avx512") == 0 ? 2e-3 : 2e-5;
}

static void check_shape(const Kernels *kernels, int64_t batch, int64_t length, int64_t heads, int64_t kv, int64_t size,
                        int64_t longest_document) {
  Case c = new_case(batch, length, heads, kv, size, longest_document);
  double *expected[OUTPUTS];
  plain_attention(&c.args, expected);
  spoil(&c);
  kernels->attention_forward(&c.args, &TWO_THREADS);
  kernels->attention_backward(&c.args, &TWO_THREADS);
  compare(kernels, &c, expected, rounding_error(kernels));
  c.args.allow_bfloat16 = 0;
  spoil(&c);
  kernels->attention_forward(&c.args, &TWO_THREADS);
  kernels->attention_backward(&c.args, &TWO_THREADS);
  compare(kernels, &c, expected, 2e-5);
  for (int i = 0; i < OUTPUTS; i++) free(expected[i]);
  free_case(&c);
}

/* A NaN in one input at token `at` reaches the outputs of the tokens that see it. Others stay clean, except that a NaN
   among the values may reach tokens shortly before it: their shares of it are 0, and 0 * NaN is NaN. */
static void check_nan(const Kernels *kernels, int input) {
  const int64_t length = 70, at = 33, size = 32;
  Case c = new_case(1, length, 2, 1, size, 0);
  const int64_t heads = input == QUERY || input == D_MIXED ? 2 : 1;
  c.inputs[input][at * heads * size + 3] = NAN;
  spoil(&c);
  kernels->attention_forward(&c.args, &SERIAL);
  for (int64_t t = input == VALUE ? at : 0; t < length; t++) {
    const int seen = input == QUERY ? t == at : input == D_MIXED ? 0 : t >= at;
    CHECK(isnan(c.outputs[MIXED][t * 2 * size + 3]) == seen, "attention %s: NaN in input %d, token %d of %d: %d",
          kernels->path, input, (int)at, (int)t, !seen);
  }
  kernels->attention_backward(&c.args, &SERIAL);
  for (int output = D_QUERY; output <= D_VALUE; output++) {
    const int64_t step = output == D_QUERY ? 2 * size : size;
    int found = 0;
    for (int64_t i = at * step; i < (at + 1) * step; i++) found |= isnan(c.outputs[output][i]) != 0;
    CHECK(found || (input == VALUE && output == D_VALUE), "attention %s: NaN in input %d is lost in %s", kernels->path, input,
          OUTPUT_NAMES[output]);
  }
  free_case(&c);
}

/* Equal values make every product of a sum as large as it can be: sums of integers must not overflow. */
static void check_equal_values(const Kernels *kernels) {
  Case c = new_case(1, 280, 2, 1, 64, 0);
  for (int input = QUERY; input < INPUTS; input++)
    for (int64_t i = 0; i < (input == COS || input == SIN ? 280 * 32 : 280 * 64); i++)
      c.inputs[input][i] = input == SIN ? 0 : 1;
  memcpy(c.inputs[QUERY] + 280 * 64, c.inputs[QUERY], 280 * 64 * sizeof(float));
  memcpy(c.inputs[D_MIXED] + 280 * 64, c.inputs[D_MIXED], 280 * 64 * sizeof(float));
  double *expected[OUTPUTS];
  plain_attention(&c.args, expected);
  kernels->attention_forward(&c.args, &SERIAL);
  kernels->attention_backward(&c.args, &SERIAL);
  static const int SUMS[] = {MIXED, LOG_SUM_EXP, D_VALUE};
  for (int i = 0; i < 3; i++) {
    const double error = relative_error(c.outputs[SUMS[i]], expected[SUMS[i]], output_size(&c.args, SUMS[i]));
    CHECK(error < rounding_error(kernels), "attention %s: %s off by %g where all values are equal", kernels->path,
          OUTPUT_NAMES[SUMS[i]], error);
  }
  for (int i = 0; i < OUTPUTS; i++) free(expected[i]);
  free_case(&c);
}

/* The division of the work does not show in the results. */
static void check_repeatable(const Kernels *kernels) {
  Case c = new_case(1, 300, 3, 1, 16, 120);
  kernels->attention_forward(&c.args, &SERIAL);
  kernels->attention_backward(&c.args, &SERIAL);
  const int64_t size = output_size(&c.args, D_QUERY) * sizeof(float);
  float *first = exact(size);
  memcpy(first, c.outputs[D_QUERY], size);
  spoil(&c);
  kernels->attention_forward(&c.args, &TWO_THREADS);
  kernels->attention_backward(&c.args, &TWO_THREADS);
  CHECK(memcmp(first, c.outputs[D_QUERY], size) == 0, "attention %s: results depend on the threads", kernels->path);
  free(first);
  free_case(&c);
}

static void check_random_shapes(const Kernels *kernels, int count, int64_t longest) {
  for (int i = 0; i < count; i++) {
    const int64_t kv = random_between(1, 3), group = random_between(1, 4);
    const int64_t size = 16 * (i % 4 == 0 ? random_between(1, 16) : random_between(1, 5));
    check_shape(kernels, random_between(1, 2), random_between(1, longest), kv * group, kv, size,
                i % 2 ? random_between(8, longest + 8) : 0);
  }
}

/* ---- times --------------------------------------------------------------------------------------------- */

static double best_seconds(void (*run)(const Attention *, const Parallel *), const Attention *p) {
  double best = 1e9;
  for (double begin = seconds_now(); seconds_now() - begin < 0.4;) {
    const double now = seconds_now();
    run(p, &TWO_THREADS);
    best = fmin(best, seconds_now() - now);
  }
  return best;
}
static void bench(const Kernels *kernels, int may_round, int64_t batch, int64_t length, int64_t heads, int64_t kv,
                  int64_t size) {
  Case c = new_case(batch, length, heads, kv, size, 0);
  c.args.allow_bfloat16 = may_round;
  const double pairs = 0.5 * batch * heads * length * (length + 1);
  const double forward = best_seconds(kernels->attention_forward, &c.args);
  const double backward = best_seconds(kernels->attention_backward, &c.args);
  printf("%-8s %s %dx%d heads %d/%d size %d: forward %.2f ms %.0f GFLOP/s, backward %.2f ms %.0f GFLOP/s\n",
         kernels->path, may_round ? "rounded" : "float32", (int)batch, (int)length, (int)heads, (int)kv, (int)size, forward * 1e3, 4 * pairs * size / forward * 1e-9,
         backward * 1e3, 10 * pairs * size / backward * 1e-9);
  free_case(&c);
}

int main(int count, char **arguments) {
  const Kernels *usable[4];
  const int paths = usable_kernels(usable);
  const int timing = count > 1 && strcmp(arguments[1], "--bench") == 0;
  for (int i = 0; i < paths; i++) {
    const int emulated = strcmp(usable[i]->path, "amx") == 0;
    if (timing) {
      if (emulated) continue;
      for (int may_round = 0; may_round < 2; may_round++) {
        bench(usable[i], may_round, 2, 512, 9, 3, 64);
        bench(usable[i], may_round, 1, 1280, 9, 3, 64);
        bench(usable[i], may_round, 1, 256, 40, 40, 128);
      }
      continue;
    }
    check_random_shapes(usable[i], emulated ? 8 : 16, emulated ? 120 : 200);
    if (!emulated) check_shape(usable[i], 1, 430, 3, 1, 64, 0);
    check_shape(usable[i], 1, 300, 2, 1, 32, 40);
    check_shape(usable[i], 2, 300, 6, 3, 32, 40);  /* all parts are short */
    check_shape(usable[i], 2, 300, 6, 3, 32, 200); /* some are long */
    check_repeatable(usable[i]);
    check_equal_values(usable[i]);
    for (int input = 0; input < INPUTS; input++)
      if (input != COS && input != SIN) check_nan(usable[i], input);
  }
  return timing ? 0 : check_report("attention");
}

/* Causal grouped-query attention of new tokens over keys and values in pages. Each query meets the positions of its
   sequence block by block; what the blocks give is merged in their order. Blocks begin at fixed positions and every sum has
   a fixed order, so that a token gets the same bits in any company. There is nothing of its own for matrix tiles. */
#include "attention-pages-float.h"
#include "attention-pages-integers.h"

/* Most rows (a token's query heads of one key head each) that a task takes together. */
#define PAGE_ROWS 192
/* Blocks for so many rows or fewer are divided among threads. */
#define PAGE_FEW_ROWS (2 * STRIP_ROWS)
/* Rows whose scores stay in the nearest cache while they become shares and mix. */
#define PAGE_TOGETHER (4 * STRIP_ROWS)
/* Tokens that one task rotates and writes. */
#define PAGE_PREPARE 32
/* Tasks worth having: blocks of few rows are handed out in so many parts. */
#define PAGE_TASKS 16
/* Products below which threads take longer to wake than to help. */
#define PAGE_SMALL 500000

/* What rows have gathered: shares 2^(score - largest) times values, and the shares' sums in lanes. */
typedef struct {
  float *mixed;   /* [rows][D] */
  float *sums;    /* [rows][LANES] */
  float *largest; /* [rows] */
} PageTotals;

/* New tokens of one sequence side by side. Their rows are (token, query head of a key head). */
typedef struct {
  int64_t token, count; /* the first of the call, and how many */
  int64_t position;     /* of the first */
  const int32_t *pages;
} PageQueries;

/* Blocks from ... to - 1 for one group of queries and key head: all that it sees, or a part, whose totals are merged
   later. */
typedef struct {
  const PageQueries *queries;
  int64_t head, from, to;
  float *partials; /* totals of every block for these queries and head; null when the part is the whole */
} PagePart;

typedef struct {
  const PagedAttention *p;
  int64_t group;  /* query heads of a key head */
  const PageKind *kind;
  int64_t per;    /* numbers in an element of pages: 1 or, of integers, 2 */
  void *rotated;  /* queries, scaled as well, elements: [key heads][tokens][group][D / per] */
  float *scales;  /* of integers, [key heads][tokens][group] */
  PageQueries *queries;
  PagePart *parts;
} PageCall;

static int64_t page_total_floats(const PagedAttention *p, int64_t rows) { return rows * (p->head_size + LANES + 1); }
static PageTotals page_totals_in(float *memory, const PagedAttention *p, int64_t rows) {
  float *sums = memory + rows * p->head_size;
  return (PageTotals){memory, sums, sums + rows * LANES};
}
static int page_is_few(const PageCall *call, const PageQueries *q) { return q->count * call->group <= PAGE_FEW_ROWS; }
/* Blocks that the queries see. */
static int64_t page_blocks(const PageQueries *q) { return (q->position + q->count - 1) / PAGE_BLOCK + 1; }

/* The first row that sees something of a block. */
static int64_t page_first_row(const PageCall *call, const PageQueries *q, int64_t block) {
  return attention_max(block * PAGE_BLOCK - q->position, 0) * call->group;
}

/* ---- rotation, and new keys and values ------------------------------------------------------------------ */

/* One token's key, rotated, and value of one head. */
static void page_write_floats(const PagedAttention *p, int64_t at, int64_t slot, const float *key, const float *value) {
  const int64_t size = p->head_size, step = p->page_size;
  float *keys = (float *)p->keys + at * size * step + slot;
  for (int64_t d = 0; d < size; d++) keys[d * step] = key[d];
  memcpy((float *)p->values + (at * step + slot) * size, value, size * sizeof(float));
}
static void page_write_integers(const PagedAttention *p, int64_t at, int64_t slot, const float *key, const float *value) {
  const int64_t size = p->head_size, step = p->page_size;
  int16_t rounded[256], *keys = (int16_t *)p->keys + at * size * step + slot * 2;
  int16_t *values = (int16_t *)p->values + at * size * step + slot / 2 * size * 2 + slot % 2;
  float *scales = p->scales + at * 2 * step + slot;
  scales[0] = integers_by_length(key, size, rounded);
  for (int64_t d = 0; d < size; d += 2) memcpy(keys + d * step, rounded + d, 2 * sizeof(int16_t));
  scales[step] = integers_up_to(value, size, PAGE_VALUE_BOUND, rounded);
  for (int64_t d = 0; d < size; d++) values[d * 2] = rounded[d];
}

static void page_prepare(void *argument, size_t index) {
  const PageCall *call = argument;
  const PagedAttention *p = call->p;
  const int64_t size = p->head_size, half = size / 2, first = (int64_t)index * PAGE_PREPARE;
  const float scale = LOG2_E / sqrtf((float)size);
  float turned[256];
  for (int64_t token = first; token < attention_min(first + PAGE_PREPARE, p->tokens); token++) {
    const float *cos = p->cos + p->positions[token] * half, *sin = p->sin + p->positions[token] * half;
    for (int64_t head = 0; head < p->heads; head++) {
      const int64_t row = (head / call->group * p->tokens + token) * call->group + head % call->group;
      const float *query = p->query + (token * p->heads + head) * size;
      if (call->per == 1) {
        rotate_row(half, cos, sin, 1, scale, query, (float *)call->rotated + row * size);
      } else {
        rotate_row(half, cos, sin, 1, scale, query, turned);
        call->scales[row] = integers_by_length(turned, size, (int16_t *)call->rotated + row * size);
      }
    }
    const int64_t page = p->pages[p->sequence[token] * p->page_columns + p->positions[token] / p->page_size];
    for (int64_t head = 0; head < p->key_value_heads; head++) {
      const int64_t from = (token * p->key_value_heads + head) * size, at = page * p->key_value_heads + head;
      rotate_row(half, cos, sin, 1, 1, p->key + from, turned);
      (call->per == 1 ? page_write_floats : page_write_integers)(p, at, p->positions[token] % p->page_size, turned,
                                                                 p->value + from);
    }
  }
}

/* ---- one block ------------------------------------------------------------------------------------------ */

/* A block where it lies. What follows its last position may be read and means nothing. */
static PageBlock page_block(const PageCall *call, const PageQueries *q, int64_t head, int64_t block) {
  const PagedAttention *p = call->p;
  const int64_t size = p->head_size, step = p->page_size, last = (q->position + q->count - 1) / PAGE_UNIT;
  PageBlock found = {.size = size, .key_step = step};
  found.units = attention_min(last + 1 - block * PAGE_UNITS, PAGE_UNITS);
  for (int64_t unit = 0; unit < PAGE_UNITS + PAGE_AHEAD; unit++) {
    const int64_t position = attention_min(block * PAGE_UNITS + unit, last) * PAGE_UNIT, slot = position % step;
    const int64_t at = q->pages[position / step] * p->key_value_heads + head, element = at * size * step / call->per;
    const float *keys = (const float *)p->keys + element + slot;
    if (unit >= PAGE_UNITS) {
      found.next_keys[unit - PAGE_UNITS] = keys;
      continue;
    }
    found.keys[unit] = keys;
    found.values[unit] = (const float *)p->values + element + slot * size / call->per;
    if (p->scales == NULL) continue;
    found.key_scales[unit] = p->scales + at * 2 * step + slot;
    found.value_scales[unit] = found.key_scales[unit] + step;
  }
  return found;
}

/* What a task works in. */
typedef struct {
  PageShares shares; /* of PAGE_TOGETHER rows */
  PageTotals block, total;
} PageWork;

static PageWork page_work_in(AttentionMemory *memory, const PagedAttention *p, int64_t rows) {
  const int64_t floats = page_total_floats(p, rows), scores = PAGE_TOGETHER * PAGE_BLOCK;
  PageWork work;
  work.shares.scores = attention_take(memory, scores, sizeof(float));
  work.shares.shares = attention_take(memory, scores, sizeof(int16_t));
  work.shares.scales = attention_take(memory, PAGE_TOGETHER, sizeof(float));
  work.block = page_totals_in(attention_take(memory, floats, sizeof(float)), p, rows);
  work.total = page_totals_in(attention_take(memory, floats, sizeof(float)), p, rows);
  return work;
}
static PageWork page_work(const PagedAttention *p, int64_t rows) {
  AttentionMemory memory = {NULL, 0};
  page_work_in(&memory, p, rows);
  memory = (AttentionMemory){scratch(ATTENTION_TASK_SLOT, memory.used), 0};
  return page_work_in(&memory, p, rows);
}

/* Scores of the rows: strips of them against panels of keys, as far as they see. */
static void page_score(const PageKind *kind, const PageBlock *block, const PageRows *rows, float *scores) {
  for (int64_t key = 0; key < rows->seen[rows->count - 1]; key += STRIP_COLUMNS)
    for (int64_t row = 0; row < rows->count; row += STRIP_ROWS) {
      const int64_t count = attention_min(rows->count - row, STRIP_ROWS);
      if (key < rows->seen[row + count - 1]) kind->strip(block, key, rows, row, count, scores + row * PAGE_BLOCK);
    }
}

/* One block for the rows of `q` that see it. */
static void page_attend(const PageCall *call, const PageQueries *q, int64_t head, int64_t index, const PageWork *work,
                        PageTotals totals) {
  const PagedAttention *p = call->p;
  const int64_t size = p->head_size, begin = index * PAGE_BLOCK, end = q->count * call->group;
  const int64_t of = (head * p->tokens + q->token) * call->group; /* the first of all rows */
  const PageBlock block = page_block(call, q, head, index);
  int64_t seen[PAGE_TOGETHER];
  PageRows rows = {.seen = seen};
  for (int64_t first = page_first_row(call, q, index); first < end; first += rows.count) {
    rows.rotated = (const float *)call->rotated + (of + first) * size / call->per;
    rows.scales = call->scales + of + first;
    rows.count = attention_min(end - first, PAGE_TOGETHER);
    for (int64_t row = 0; row < rows.count; row++)
      seen[row] = attention_min(q->position + (first + row) / call->group + 1 - begin, PAGE_BLOCK);
    page_score(call->kind, &block, &rows, work->shares.scores);
    call->kind->share(&block, &rows, &work->shares, totals.largest + first, totals.sums + first * LANES);
    call->kind->mix(&block, &rows, &work->shares, totals.mixed + first * size);
  }
}

/* ---- merging -------------------------------------------------------------------------------------------- */

static void page_begin(PageTotals total, int64_t rows, int64_t size) {
  memset(total.mixed, 0, rows * size * sizeof(float));
  memset(total.sums, 0, rows * LANES * sizeof(float));
  for (int64_t row = 0; row < rows; row++) total.largest[row] = -FLT_MAX;
}

/* Adds a block to the totals of rows `first` on. Never inlined: the same instructions for all. */
static __attribute__((noinline)) void page_merge(PageTotals total, PageTotals block, int64_t first, int64_t rows,
                                                 int64_t size) {
  for (int64_t row = first; row < rows; row++) {
    const float before = total.largest[row], added = block.largest[row], largest = before > added ? before : added;
    const Floats keep = exp2_floats(splat(before - largest)), take = exp2_floats(splat(added - largest));
    float *sums = total.sums + row * LANES, *mixed = total.mixed + row * size;
    store(sums, load(sums) * keep + load(block.sums + row * LANES) * take);
    for (int64_t i = 0; i < size; i += LANES)
      store(mixed + i, load(mixed + i) * keep + load(block.mixed + row * size + i) * take);
    total.largest[row] = largest;
  }
}

static __attribute__((noinline)) void page_finish(const PageCall *call, const PageQueries *q, int64_t head,
                                                  PageTotals total) {
  const PagedAttention *p = call->p;
  const int64_t size = p->head_size, group = call->group;
  for (int64_t row = 0; row < q->count * group; row++) {
    const Floats inverse = splat(1.0f / sum_lanes(load(total.sums + row * LANES)));
    float *out = p->mixed + ((q->token + row / group) * p->heads + head * group + row % group) * size;
    for (int64_t i = 0; i < size; i += LANES) store(out + i, load(total.mixed + row * size + i) * inverse);
  }
}

static void page_task(void *argument, size_t index) {
  const PageCall *call = argument;
  const PagedAttention *p = call->p;
  const PagePart *part = call->parts + index;
  const PageQueries *q = part->queries;
  const int64_t rows = q->count * call->group;
  const PageWork work = page_work(p, rows);
  if (part->partials == NULL) page_begin(work.total, rows, p->head_size);
  for (int64_t block = part->from; block < part->to; block++) {
    if (part->partials != NULL) {
      float *memory = part->partials + block * page_total_floats(p, rows);
      page_attend(call, q, part->head, block, &work, page_totals_in(memory, p, rows));
    } else {
      page_attend(call, q, part->head, block, &work, work.block);
      page_merge(work.total, work.block, page_first_row(call, q, block), rows, p->head_size);
    }
  }
  if (part->partials == NULL) page_finish(call, q, part->head, work.total);
}

/* Merges the blocks that parts have left. */
static void page_join(const PageCall *call, const PagePart *part) {
  const PagedAttention *p = call->p;
  const PageQueries *q = part->queries;
  const int64_t rows = q->count * call->group, floats = page_total_floats(p, rows);
  const PageTotals total = page_work(p, rows).total;
  page_begin(total, rows, p->head_size);
  for (int64_t block = 0; block < page_blocks(q); block++)
    page_merge(total, page_totals_in(part->partials + block * floats, p, rows), page_first_row(call, q, block), rows,
               p->head_size);
  page_finish(call, q, part->head, total);
}

/* ---- the division of the work --------------------------------------------------------------------------- */

/* Groups of tokens, each of one sequence; how many. */
static int64_t page_group_tokens(const PageCall *call) {
  const PagedAttention *p = call->p;
  const int64_t longest = attention_max(PAGE_ROWS / call->group, 1);
  int64_t count = 0;
  for (int64_t token = 0, end; token < p->tokens; token = end) {
    for (end = token + 1; end < p->tokens && end - token < longest; end++)
      if (p->sequence[end] != p->sequence[token]) break;
    call->queries[count++] = (PageQueries){token, end - token, p->positions[token],
                                           p->pages + p->sequence[token] * p->page_columns};
  }
  return count;
}

/* Lists the parts, the last tokens first: they see the most. Groups of few rows are divided into parts of `span` blocks.
   Returns how many parts there are; without `parts` it only counts. `floats`: what their partials take. */
static int64_t page_list_parts(const PageCall *call, int64_t groups, int64_t span, PagePart *parts, float *partials,
                               int64_t *floats) {
  int64_t count = 0;
  *floats = 0;
  for (int64_t group = groups - 1; group >= 0; group--) {
    const PageQueries *q = call->queries + group;
    const int64_t blocks = page_blocks(q), step = page_is_few(call, q) ? attention_min(span, blocks) : blocks;
    for (int64_t head = 0; head < call->p->key_value_heads; head++) {
      for (int64_t from = 0; from < blocks; from += step, count++) {
        if (parts == NULL) continue;
        parts[count] = (PagePart){q, head, from, attention_min(from + step, blocks), NULL};
        if (step < blocks) parts[count].partials = partials + *floats;
      }
      if (step < blocks) *floats += blocks * page_total_floats(call->p, q->count * call->group);
    }
  }
  return count;
}

static PageCall page_layout(const PagedAttention *p, AttentionMemory *memory) {
  const int64_t rows = p->tokens * p->heads;
  PageCall call = {.p = p, .group = p->heads / p->key_value_heads, .kind = &PAGES_OF_FLOATS, .per = 1};
  if (p->scales != NULL) call.kind = &PAGES_OF_INTEGERS, call.per = 2;
  call.rotated = attention_take(memory, rows * p->head_size / call.per, sizeof(float));
  call.scales = attention_take(memory, rows, sizeof(float));
  call.queries = attention_take(memory, p->tokens, sizeof(PageQueries));
  return call;
}

static void paged_attention(const PagedAttention *p, const Parallel *parallel) {
  AttentionMemory memory = {NULL, 0};
  page_layout(p, &memory);
  memory = (AttentionMemory){scratch(ATTENTION_CALL_SLOT, memory.used), 0};
  PageCall call = page_layout(p, &memory);
  const int64_t groups = page_group_tokens(&call);
  int64_t products = 0, few_blocks = 0;
  for (const PageQueries *q = call.queries; q < call.queries + groups; q++) {
    products += q->count * p->heads * (q->position + q->count) * p->head_size;
    if (page_is_few(&call, q)) few_blocks += page_blocks(q) * p->key_value_heads;
  }
  const int is_small = products < PAGE_SMALL;
  const int64_t span = is_small ? INT64_MAX : attention_max(few_blocks / PAGE_TASKS, 1);

  int64_t floats;
  const int64_t parts = page_list_parts(&call, groups, span, NULL, NULL, &floats);
  const int64_t list = round_up(parts * sizeof(PagePart), 64);
  call.parts = scratch(ATTENTION_PARTS_SLOT, list + floats * sizeof(float));
  page_list_parts(&call, groups, span, call.parts, (float *)((char *)call.parts + list), &floats);

  parallel_for(parallel, page_prepare, (p->tokens + PAGE_PREPARE - 1) / PAGE_PREPARE, &call);
  if (is_small) for (int64_t part = 0; part < parts; part++) page_task(&call, part);
  else parallel_for(parallel, page_task, parts, &call);
  for (const PagePart *part = call.parts; part < call.parts + parts; part++)
    if (part->partials != NULL && part->from == 0) page_join(&call, part);
}

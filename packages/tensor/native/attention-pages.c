/* Causal grouped-query attention of new tokens over keys and values in pages. Each query meets the positions of its
   sequence block by block; what the blocks give is merged in their order. Blocks begin at fixed positions and every sum has
   a fixed order, so that a token gets the same bits in any company. There is nothing of its own for matrix tiles. */
#include "attention-pages.h"

/* Most rows (a token's query heads of one key head each) that a task takes together. */
#define PAGE_ROWS 192
/* So many rows or fewer read the pages as they are: to widen a block first would cost more. */
#define PAGE_FEW_ROWS (2 * STRIP_ROWS)
/* Rows whose scores stay in the nearest cache while they become shares and mix. */
#define PAGE_TOGETHER (4 * STRIP_ROWS)
/* Positions whose keys, or values, meet all these rows before the next. */
#define PAGE_PANEL 64
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
  float *rotated; /* queries, scaled as well: [key heads][tokens][group][D] */
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

static inline void page_halve(const float *x, int64_t size, uint16_t *to) {
  for (int64_t i = 0; i < size; i += LANES) store_float16(to + i, load(x + i));
}

/* One token's key, rotated, and value of one head. */
static void page_write(const PagedAttention *p, int64_t token, int64_t head, const float *key) {
  const int64_t size = p->head_size, step = p->page_size, position = p->positions[token];
  const int64_t page = p->pages[p->sequence[token] * p->page_columns + position / step], slot = position % step;
  const int64_t at = (page * p->key_value_heads + head) * size * step;
  const float *value = p->value + (token * p->key_value_heads + head) * size;
  if (p->is_half) {
    uint16_t halves[256], *keys = (uint16_t *)p->keys + at + slot;
    page_halve(key, size, halves);
    for (int64_t d = 0; d < size; d++) keys[d * step] = halves[d];
    page_halve(value, size, (uint16_t *)p->values + at + slot * size);
  } else {
    float *keys = (float *)p->keys + at + slot;
    for (int64_t d = 0; d < size; d++) keys[d * step] = key[d];
    memcpy((float *)p->values + at + slot * size, value, size * sizeof(float));
  }
}

static void page_prepare(void *argument, size_t index) {
  const PageCall *call = argument;
  const PagedAttention *p = call->p;
  const int64_t size = p->head_size, half = size / 2, first = (int64_t)index * PAGE_PREPARE;
  const float scale = LOG2_E / sqrtf((float)size);
  float key[256];
  for (int64_t token = first; token < attention_min(first + PAGE_PREPARE, p->tokens); token++) {
    const float *cos = p->cos + p->positions[token] * half, *sin = p->sin + p->positions[token] * half;
    for (int64_t head = 0; head < p->heads; head++) {
      const int64_t row = (head / call->group * p->tokens + token) * call->group + head % call->group;
      rotate_row(half, cos, sin, 1, scale, p->query + (token * p->heads + head) * size, call->rotated + row * size);
    }
    for (int64_t head = 0; head < p->key_value_heads; head++) {
      rotate_row(half, cos, sin, 1, 1, p->key + (token * p->key_value_heads + head) * size, key);
      page_write(p, token, head, key);
    }
  }
}

/* ---- one block ------------------------------------------------------------------------------------------ */

/* Where the key and value of a position lie. */
static void page_place(const PagedAttention *p, const PageQueries *q, int64_t head, int64_t position, const void **key,
                       const void **value) {
  const int64_t size = p->head_size, width = p->is_half ? sizeof(uint16_t) : sizeof(float);
  const int64_t page = q->pages[position / p->page_size], slot = position % p->page_size;
  const int64_t at = (page * p->key_value_heads + head) * size * p->page_size;
  *key = (const char *)p->keys + (at + slot) * width;
  *value = (const char *)p->values + (at + slot * size) * width;
}

/* A block where it lies. What follows its last position may be read and means nothing. */
static PageBlock page_block(const PagedAttention *p, const PageQueries *q, int64_t head, int64_t block) {
  const int64_t last = q->position + q->count - 1, begin = block * PAGE_BLOCK, unit_values = PAGE_UNIT * p->head_size;
  PageBlock found = {.size = p->head_size, .key_step = p->page_size, .is_half = p->is_half};
  for (int64_t unit = 0; unit < PAGE_UNITS + PAGE_AHEAD; unit++)
    page_place(p, q, head, attention_min(begin + unit * PAGE_UNIT, last / PAGE_UNIT * PAGE_UNIT), found.keys + unit,
               found.values + unit);
  for (int64_t unit = 0; unit < PAGE_AHEAD; unit++) { /* keys of two units lie in one stretch, dimension by dimension */
    const uint16_t *next = found.keys[PAGE_UNITS + unit / 2 * 2];
    found.values[PAGE_UNITS + unit] = next + unit % 2 * unit_values;
  }
  for (int64_t unit = 0; unit < PAGE_AHEAD; unit++) found.keys[PAGE_UNITS + unit] = found.values[unit];
  return found;
}

/* The same in float32 and in `memory`: keys in panels [PAGE_BLOCK / PAGE_PANEL][D][PAGE_PANEL], values as they were. */
static PageBlock page_widen(const PageBlock *from, int64_t keys, float *memory) {
  const int64_t size = from->size, units = (keys + PAGE_UNIT - 1) / PAGE_UNIT, in_panel = PAGE_PANEL / PAGE_UNIT;
  float *values = memory + PAGE_BLOCK * size;
  PageBlock wide = {.size = size, .key_step = PAGE_PANEL};
  for (int64_t unit = 0; unit < PAGE_UNITS; unit++) {
    const int64_t there = attention_min(unit, units - 1);
    wide.keys[unit] = memory + there / in_panel * PAGE_PANEL * size + there % in_panel * PAGE_UNIT;
    wide.values[unit] = values + there * PAGE_UNIT * size;
  }
  for (int64_t unit = 0; unit < units; unit++) {
    float *key = (float *)wide.keys[unit], *value = (float *)wide.values[unit];
    for (int64_t d = 0; d < size; d++)
      for (int64_t j = 0; j < PAGE_UNIT; j += LANES)
        store(key + d * PAGE_PANEL + j, load_page(from->keys[unit], d * from->key_step + j, from->is_half));
    for (int64_t i = 0; i < PAGE_UNIT * size; i += LANES)
      store(value + i, load_page(from->values[unit], i, from->is_half));
  }
  return wide;
}

/* Scores of the first `seen` keys become shares 2^(score - largest), whose sum goes to `sums`. Returns the largest. */
static float page_shares(float *scores, int64_t seen, float *sums) {
  enum { WIDE = 4 }; /* vectors that do not wait for each other */
  Floats top[WIDE], sum[WIDE] = {};
  for (int64_t j = seen; j % (WIDE * LANES) != 0; j++) scores[j] = -INFINITY;
#pragma GCC unroll 4
  for (int v = 0; v < WIDE; v++) top[v] = splat(-FLT_MAX);
  for (int64_t j = 0; j < seen; j += WIDE * LANES)
#pragma GCC unroll 4
    for (int v = 0; v < WIDE; v++) top[v] = max_floats(top[v], load(scores + j + v * LANES));
  const float largest = attention_max_lanes(max_floats(max_floats(top[0], top[1]), max_floats(top[2], top[3])));
  for (int64_t j = 0; j < seen; j += WIDE * LANES)
#pragma GCC unroll 4
    for (int v = 0; v < WIDE; v++) {
      const Floats share = page_share(load(scores + j + v * LANES) - splat(largest));
      sum[v] += share;
      store(scores + j + v * LANES, share);
    }
  store(sums, (sum[0] + sum[1]) + (sum[2] + sum[3]));
  return largest;
}

/* What a task works in. */
typedef struct {
  float *scores; /* [PAGE_TOGETHER][PAGE_BLOCK], then shares */
  float *wide;   /* two times [PAGE_BLOCK][D] */
  PageTotals block, total;
} PageWork;

static PageWork page_work(const PagedAttention *p, int64_t rows) {
  const int64_t scores = PAGE_TOGETHER * PAGE_BLOCK, wide = 2 * PAGE_BLOCK * p->head_size;
  const int64_t totals = round_up(page_total_floats(p, rows), LANES);
  float *memory = scratch(ATTENTION_TASK_SLOT, (scores + wide + 2 * totals) * sizeof(float));
  PageWork work = {.scores = memory, .wide = memory + scores};
  work.block = page_totals_in(work.wide + wide, p, rows);
  work.total = page_totals_in(work.wide + wide + totals, p, rows);
  return work;
}

/* Scores of `rows` rows: strips of them against panels of keys, as far as they see. */
static void page_score_rows(const PageBlock *block, const float *rotated, const int64_t *seen, int64_t rows,
                            float *scores) {
  for (int64_t key = 0; key < seen[rows - 1]; key += STRIP_COLUMNS)
    for (int64_t row = 0; row < rows; row += STRIP_ROWS) {
      const int64_t count = attention_min(rows - row, STRIP_ROWS);
      if (key < seen[row + count - 1])
        page_scores(block, key, rotated + row * block->size, scores + row * PAGE_BLOCK, count);
    }
}

/* What their shares mix of the values. A strip's rows go together as far as the first sees, and on alone. */
static void page_mix_rows(const PageBlock *block, const float *shares, const int64_t *seen, int64_t rows, float *mixed) {
  const int64_t size = block->size;
  memset(mixed, 0, rows * size * sizeof(float));
  for (int64_t key = 0; key < seen[rows - 1]; key += PAGE_PANEL)
    for (int64_t row = 0; row < rows; row += STRIP_ROWS) {
      const int64_t count = attention_min(rows - row, STRIP_ROWS), limit = key + PAGE_PANEL;
      const int64_t common = attention_min(seen[row], limit), next = attention_max(common, key);
      if (key < common) page_mix(block, key, common, shares + row * PAGE_BLOCK, mixed + row * size, count);
      if (next >= attention_min(seen[row + count - 1], limit)) continue;
      for (int64_t each = row; each < row + count; each++) {
        const int64_t last = attention_min(seen[each], limit);
        if (next < last) page_mix(block, next, last, shares + each * PAGE_BLOCK, mixed + each * size, 1);
      }
    }
}

/* One block for the rows of `q` that see it. */
static void page_attend(const PageCall *call, const PageQueries *q, int64_t head, int64_t index, const PageWork *work,
                        PageTotals totals) {
  const PagedAttention *p = call->p;
  const int64_t size = p->head_size, begin = index * PAGE_BLOCK, end = q->count * call->group;
  const int64_t keys = attention_min(q->position + q->count - begin, PAGE_BLOCK);
  const float *rotated = call->rotated + (head * p->tokens + q->token) * call->group * size;
  PageBlock block = page_block(p, q, head, index);
  if (!page_is_few(call, q)) block = page_widen(&block, keys, work->wide);
  for (int64_t first = page_first_row(call, q, index), rows; first < end; first += rows) {
    int64_t seen[PAGE_TOGETHER];
    rows = attention_min(end - first, PAGE_TOGETHER);
    for (int64_t row = 0; row < rows; row++)
      seen[row] = attention_min(q->position + (first + row) / call->group + 1 - begin, PAGE_BLOCK);
    page_score_rows(&block, rotated + first * size, seen, rows, work->scores);
    for (int64_t row = 0; row < rows; row++)
      totals.largest[first + row] =
          page_shares(work->scores + row * PAGE_BLOCK, seen[row], totals.sums + (first + row) * LANES);
    page_mix_rows(&block, work->scores, seen, rows, totals.mixed + first * size);
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
  PageCall call = {.p = p, .group = p->heads / p->key_value_heads};
  call.rotated = attention_take(memory, p->tokens * p->heads * p->head_size, sizeof(float));
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

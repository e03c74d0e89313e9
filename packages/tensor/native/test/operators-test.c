/* The custom operators as the runtime calls them, over a table of functions that keeps shapes and data apart in exact
   allocations: right shapes are computed, and whatever is wrong gives a status instead of a step outside. */
#include "../runtime.h"
#include "check.h"

size_t flacuna_operator_count(void);
const void *flacuna_operator(const void *runtime_api, size_t index, size_t threads);
const char *flacuna_path(size_t index);
int flacuna_use_path(const char *path);

#define MAX_AXES 9
static const char *const ATTRIBUTES[] = {"in", "out", "head_size", "hadamard", "allow_bfloat16",
                                         "transposed", "transpose_a", "transpose_b", "prologue", "out2", "out3",
                                         "top", "bytes"};
#define ATTRIBUTE_COUNT (sizeof ATTRIBUTES / sizeof *ATTRIBUTES)
#define MAX_VALUES 11
#define MOST_OUTPUTS 5

/* ---- the runtime's side ------------------------------------------------------------------------------------------ */

struct RuntimeValue {
  void *data;
  size_t rank;
  int64_t sizes[MAX_AXES];
};
struct ShapeInfo {
  const RuntimeValue *value;
};
struct Status {
  int code;
  char message[160];
};
struct KernelInfo {
  int64_t attributes[ATTRIBUTE_COUNT]; /* in the order of ATTRIBUTES */
  const Context *constants;            /* whose inputs but the first are constant; null where none is */
};
struct Context {
  size_t input_count;
  RuntimeValue inputs[MAX_VALUES], outputs[MOST_OUTPUTS];
  int is_present[MAX_VALUES];
  const int *output_types;
};

static size_t size_of_type(int type) {
  switch (type) {
    case TYPE_INT64: return 8;
    case TYPE_FLOAT32:
    case TYPE_INT32: return 4;
    case TYPE_INT16:
    case TYPE_FLOAT16:
    case TYPE_BFLOAT16: return 2;
    default: return 1;
  }
}
static int64_t count_elements(const RuntimeValue *value) {
  int64_t count = 1;
  for (size_t axis = 0; axis < value->rank; axis++) count *= value->sizes[axis];
  return count;
}

static Status *create_status(int code, const char *message) {
  Status *status = malloc(sizeof *status);
  status->code = code;
  snprintf(status->message, sizeof status->message, "%s", message);
  return status;
}
static Status *get_tensor_data(RuntimeValue *value, void **data) { return *data = value->data, NULL; }
static Status *get_shape_info(const RuntimeValue *value, ShapeInfo **info) {
  *info = malloc(sizeof **info);
  (*info)->value = value;
  return NULL;
}
static Status *get_dimensions_count(const ShapeInfo *info, size_t *count) { return *count = info->value->rank, NULL; }
static Status *get_dimensions(const ShapeInfo *info, int64_t *sizes, size_t count) {
  memcpy(sizes, info->value->sizes, count * sizeof *sizes);
  return NULL;
}
static void release_shape_info(ShapeInfo *info) { free(info); }
static Status *get_attribute_float(const KernelInfo *info, const char *name, float *value) {
  (void)info, (void)name;
  *value = 1e-5f;
  return NULL;
}
static Status *get_attribute_int64(const KernelInfo *info, const char *name, int64_t *value) {
  for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
    if (strcmp(ATTRIBUTES[i], name) != 0) continue;
    *value = info->attributes[i];
    return NULL;
  }
  return create_status(CODE_FAIL, "no such attribute");
}
static Status *get_input_count(const Context *context, size_t *count) { return *count = context->input_count, NULL; }
static Status *get_input(const Context *context, size_t index, const RuntimeValue **value) {
  *value = context->is_present[index] ? &context->inputs[index] : NULL;
  return NULL;
}
static Status *get_constant_input(const KernelInfo *info, size_t index, int *is_constant, const RuntimeValue **value) {
  const Context *from = info->constants;
  *is_constant = from != NULL && index > 0 && index < from->input_count && from->is_present[index];
  if (*is_constant) *value = &from->inputs[index];
  return NULL;
}
static Status *get_output(Context *context, size_t index, const int64_t *sizes, size_t rank, RuntimeValue **value) {
  RuntimeValue *output = &context->outputs[index];
  output->rank = rank;
  for (size_t axis = 0; axis < rank; axis++) {
    if (sizes[axis] < 0) return create_status(CODE_INVALID_ARGUMENT, "an output has a negative size");
    output->sizes[axis] = sizes[axis];
  }
  output->data = exact(count_elements(output) * size_of_type(context->output_types[index]));
  *value = output;
  return NULL;
}
static Status *parallel_for_of_runtime(const Context *context, void (*task)(void *, size_t), size_t count,
                                       size_t batches, void *argument) {
  (void)context, (void)batches;
  for (size_t i = 0; i < count; i++) task(argument, i);
  return NULL;
}

static const void *api_table[] = {
    [API_CREATE_STATUS] = create_status,
    [API_GET_TENSOR_DATA] = get_tensor_data,
    [API_GET_SHAPE_INFO] = get_shape_info,
    [API_GET_DIMENSIONS_COUNT] = get_dimensions_count,
    [API_GET_DIMENSIONS] = get_dimensions,
    [API_RELEASE_SHAPE_INFO] = release_shape_info,
    [API_GET_ATTRIBUTE_FLOAT] = get_attribute_float,
    [API_GET_ATTRIBUTE_INT64] = get_attribute_int64,
    [API_GET_INPUT_COUNT] = get_input_count,
    [API_GET_INPUT] = get_input,
    [API_GET_OUTPUT] = get_output,
    [API_GET_CONSTANT_INPUT] = get_constant_input,
    [API_PARALLEL_FOR] = parallel_for_of_runtime,
};

/* ---- calls that are right ---------------------------------------------------------------------------------------- */

enum { IN = 96, OUT = 70, OUT2 = 65, OUT3 = 130, HEAD = 16, B = 2, T = 5, WIDTH = 128, CLASSES = 37, THIN = 8,
       ALTERNATIVES = 3, SEEN = 2 };
#define PADDED(size) (((size) + 63) / 64 * 64)
#define PANEL(size) (((size) + 31) / 32 * 32)

typedef struct {
  size_t rank;
  int64_t sizes[5];
} Shape;

typedef struct {
  const char *name;
  Shape inputs[MAX_VALUES]; /* up to the first of rank 0 */
} Example;

#define ROWS(width) {3, {B, T, width}}
#define VECTOR(size) {1, {size}}
#define INT8_PACKED_OF(out) {4, {PADDED(out) / 16, PADDED(IN) / 4, 16, 4}}
#define INT8_PACKED INT8_PACKED_OF(OUT)
#define PACKED_PAIRS {4, {PANEL(OUT) / 16, PANEL(IN) / 2, 16, 2}}
#define INT4_PACKED_OF(out) {4, {PANEL(out) / 16, IN / 8, 16, 4}}
#define INT4_BLOCKS_OF(out) {3, {PANEL(out) / 16, IN / 32, 16}}
#define INT4_PACKED INT4_PACKED_OF(OUT)
#define INT4_BLOCKS INT4_BLOCKS_OF(OUT)
#define INT8_WEIGHT(out) INT8_PACKED_OF(out), VECTOR(out)
#define INT4_WEIGHT(out) INT4_PACKED_OF(out), INT4_BLOCKS_OF(out), INT4_BLOCKS_OF(out)
#define QUERY {3, {B, T, 4 * HEAD}}
#define KEY {3, {B, T, 2 * HEAD}}
#define ROTATION {2, {T, HEAD / 2}}
#define PAGE_KEYS {4, {3, 2, HEAD, 32}}
#define PAGE_VALUES {4, {3, 2, 32, HEAD}}
#define PAIRED_KEYS {5, {3, 2, HEAD / 2, 32, 2}}
#define PAIRED_VALUES {5, {3, 2, 16, HEAD, 2}}
#define PAGE_SCALES {4, {3, 2, 2, 32}}
#define PAGED_ROWS {2, {1, 4 * HEAD}}, {2, {1, 2 * HEAD}}, {2, {1, 2 * HEAD}}
#define PAGED_PLACES {2, {1, 1}}, VECTOR(1), VECTOR(1), ROTATION, ROTATION

static const Example examples[] = {
    {"QuantizeRows", {ROWS(IN), VECTOR(IN)}},
    {"Int8Rows", {VECTOR(T), INT8_WEIGHT(OUT)}},
    {"Int8Linear", {ROWS(PADDED(IN)), ROWS(1), INT8_PACKED, VECTOR(OUT), VECTOR(PADDED(OUT)), ROWS(OUT)}},
    {"Int8LinearTransposed", {ROWS(PADDED(OUT)), ROWS(1), INT8_PACKED, VECTOR(PADDED(IN)), ROWS(IN)}},
    {"Bfloat16Linear", {ROWS(IN), PACKED_PAIRS, ROWS(OUT)}},
    {"Bfloat16LinearTransposed", {ROWS(OUT), PACKED_PAIRS, ROWS(IN)}},
    {"Int16Linear", {ROWS(IN), PACKED_PAIRS, VECTOR(PANEL(OUT)), ROWS(OUT)}},
    {"Int16LinearTransposed", {ROWS(OUT), PACKED_PAIRS, VECTOR(PANEL(OUT)), ROWS(IN)}},
    {"Int4Linear", {ROWS(IN), INT4_PACKED, INT4_BLOCKS, INT4_BLOCKS, ROWS(OUT)}},
    {"Int4LinearTransposed", {ROWS(OUT), INT4_PACKED, INT4_BLOCKS, INT4_BLOCKS, ROWS(IN)}},
    {"Int8BlockLinear", {ROWS(IN), INT8_WEIGHT(OUT), ROWS(IN), ROWS(OUT)}},
    {"Int8BlockLinear2", {ROWS(IN), INT8_WEIGHT(OUT), INT8_WEIGHT(OUT2), VECTOR(IN)}},
    {"Int8BlockLinear3", {ROWS(IN), INT8_WEIGHT(OUT), INT8_WEIGHT(OUT2), INT8_WEIGHT(OUT3), VECTOR(IN)}},
    {"Int8FeedForward",
     {ROWS(PADDED(IN)), ROWS(1), INT8_WEIGHT(OUT), VECTOR(PADDED(OUT)), INT8_WEIGHT(OUT), VECTOR(PADDED(OUT)),
      {4, {PADDED(IN) / 16, PADDED(OUT) / 4, 16, 4}}, VECTOR(IN), ROWS(IN)}},
    {"Int4BlockLinear", {ROWS(IN), INT4_WEIGHT(OUT), ROWS(IN), ROWS(OUT)}},
    {"Int4BlockLinear2", {ROWS(IN), INT4_WEIGHT(OUT), INT4_WEIGHT(OUT2), VECTOR(IN)}},
    {"Int4BlockLinear3", {ROWS(IN), INT4_WEIGHT(OUT), INT4_WEIGHT(OUT2), INT4_WEIGHT(OUT3), VECTOR(IN)}},
    {"Attention", {QUERY, KEY, KEY, ROTATION, ROTATION, {2, {B, T}}}},
    {"AttentionGrad", {QUERY, QUERY, KEY, KEY, ROTATION, ROTATION, {2, {B, T}}, QUERY, {3, {B, 4, T}}}},
    {"PagedAttention", {PAGED_ROWS, PAGE_KEYS, PAGE_VALUES, PAGED_PLACES}},
    {"PagedAttentionInt16", {PAGED_ROWS, PAIRED_KEYS, PAIRED_VALUES, PAGE_SCALES, PAGED_PLACES}},
    {"RmsNormQuantize", {ROWS(IN), VECTOR(IN)}},
    {"RmsNormGrad", {ROWS(IN), ROWS(IN), VECTOR(IN), ROWS(1), ROWS(IN)}},
    {"Swiglu", {ROWS(WIDTH), ROWS(WIDTH)}},
    {"SwigluQuantize", {ROWS(WIDTH), ROWS(WIDTH)}},
    {"SwigluGradQuantize", {ROWS(WIDTH), ROWS(WIDTH), ROWS(WIDTH), VECTOR(WIDTH), VECTOR(WIDTH)}},
    {"SwigluGradQuantizeKept", {ROWS(WIDTH), ROWS(WIDTH), ROWS(WIDTH), VECTOR(WIDTH), VECTOR(WIDTH)}},
    {"SwigluGrad", {ROWS(WIDTH), ROWS(WIDTH), ROWS(WIDTH)}},
    {"Hadamard", {ROWS(WIDTH)}},
    {"RoundToBfloat16", {ROWS(WIDTH)}},
    {"WidenBfloat16", {ROWS(WIDTH)}},
    {"CrossEntropy", {{2, {T, CLASSES}}, VECTOR(T)}},
    {"AdamW",
     {ROWS(IN), ROWS(IN), ROWS(IN), ROWS(IN), VECTOR(1), VECTOR(1), VECTOR(1), VECTOR(1), VECTOR(1)}},
    {"Accumulate", {ROWS(IN), ROWS(IN), VECTOR(1)}},
    {"SumOfSquares", {ROWS(IN)}},
    {"ThinReduce", {ROWS(IN), {2, {IN, THIN}}}},
    {"ThinExpand", {ROWS(THIN), {2, {IN, THIN}}}},
    {"ThinOuter", {{2, {T, THIN}}, {2, {T, IN}}}},
    {"Product", {{2, {T, IN}}, {2, {OUT, T}}}},
    {"CrossEntropyGrad", {VECTOR(T), {2, {T, CLASSES}}, VECTOR(T), VECTOR(T)}},
    {"SelectTokens",
     {{2, {T, CLASSES}}, {2, {T, 8}}, {2, {T, 4}}, {2, {SEEN, 2}}, {2, {SEEN, 2}}, {2, {2, (CLASSES + 31) / 32}}}},
};
#define EXAMPLES (sizeof examples / sizeof *examples)
enum { HADAMARD = 3, PROLOGUE = 8, TOP = 11, BYTES = 12 }; /* their places in ATTRIBUTES */

/* Examples with a vector beside their rows normalise these, the others activate them. */
static KernelInfo right_attributes(const Example *example) {
  KernelInfo info = {{IN, OUT, HEAD, 1, 1, 1, 1, 1, 2, OUT2, OUT3, ALTERNATIVES, 2}, NULL};
  if (strstr(example->name, "BlockLinear2") || strstr(example->name, "BlockLinear3")) info.attributes[PROLOGUE] = 1;
  if (strcmp(example->name, "Int8FeedForward") == 0) info.attributes[HADAMARD] = 0;
  return info;
}

static const CustomOperator *find_operator(const char *name) {
  static const CustomOperator *operators[EXAMPLES];
  for (size_t i = 0; i < flacuna_operator_count() && i < EXAMPLES; i++) {
    if (operators[i] == NULL) operators[i] = flacuna_operator(api_table, i, 2);
    if (strcmp(operators[i]->get_name(operators[i]), name) == 0) return operators[i];
  }
  return NULL;
}

/* Numbers in -1 ... 1; bytes of any value; labels, starts and other integers 0. */
static void fill(RuntimeValue *value, int type) {
  int64_t count = count_elements(value);
  value->data = exact(count * size_of_type(type));
  for (int64_t i = 0; i < count; i++) {
    if (type == TYPE_FLOAT32) ((float *)value->data)[i] = random_float(1);
    else if (size_of_type(type) == 1) ((uint8_t *)value->data)[i] = random_bits();
    else memset((char *)value->data + i * size_of_type(type), 0, size_of_type(type));
  }
}

static void set_up(Context *context, const CustomOperator *operator, const Example *example, int types[MOST_OUTPUTS]) {
  memset(context, 0, sizeof *context);
  for (size_t i = 0; i < operator->get_output_count(operator); i++) types[i] = operator->get_output_type(operator, i);
  context->output_types = types;
  for (size_t i = 0; i < MAX_VALUES && example->inputs[i].rank > 0; i++) {
    RuntimeValue *input = &context->inputs[context->input_count++];
    input->rank = example->inputs[i].rank;
    memcpy(input->sizes, example->inputs[i].sizes, sizeof example->inputs[i].sizes);
    context->is_present[i] = 1;
  }
}

static int are_constant; /* all inputs but the first of each call */

/* Runs the operator; the message of its status, or null. Reads every byte of the outputs. */
static const char *call(const CustomOperator *operator, Context *context, const KernelInfo *info, int is_filled) {
  static char message[sizeof((Status *)0)->message];
  for (size_t i = 0; !is_filled && i < context->input_count; i++)
    if (context->is_present[i]) fill(&context->inputs[i], operator->get_input_type(operator, i));
  KernelInfo given = *info;
  given.constants = are_constant ? context : NULL;
  void *kernel = NULL;
  Status *status = operator->create_kernel_with_status(operator, api_table, &given, &kernel);
  if (status == NULL) {
    status = operator->compute_with_status(kernel, context);
    operator->destroy_kernel(kernel);
  }
  for (size_t i = 0; i < MAX_VALUES; i++) free(context->inputs[i].data), context->inputs[i].data = NULL;
  for (size_t i = 0; i < MOST_OUTPUTS; i++) free(context->outputs[i].data), context->outputs[i].data = NULL;
  if (status == NULL) return NULL;
  memcpy(message, status->message, sizeof message);
  free(status);
  return message;
}

static void check_right_calls(const CustomOperator *operator, const Example *example, const char *path) {
  const KernelInfo info = right_attributes(example);
  Context context;
  int types[MOST_OUTPUTS];
  set_up(&context, operator, example, types);
  CHECK(context.input_count == operator->get_input_count(operator), "%s: the example lacks inputs", example->name);
  const char *message = call(operator, &context, &info, 0);
  CHECK(message == NULL, "%s on %s: %s", example->name, path, message);
  for (size_t axis = 0; axis < 2; axis++) { /* nothing to do is no mistake */
    set_up(&context, operator, example, types);
    for (size_t i = 0; i < context.input_count; i++)
      if (context.inputs[i].rank == 3 && context.inputs[i].sizes[0] == B && context.inputs[i].sizes[1] == T)
        context.inputs[i].sizes[axis] = 0;
    call(operator, &context, &info, 0);
  }
}

/* Whether nothing else says how long an axis of an input is. */
static int is_free(const Example *example, size_t input, size_t axis) {
  static const char *const free_rows[] = {"QuantizeRows", "RmsNormQuantize", "Hadamard", "ThinReduce", "ThinExpand",
                                          "Int8BlockLinear2", "Int8BlockLinear3", "Int4BlockLinear2", "Int4BlockLinear3"};
  for (size_t i = 0; i < sizeof free_rows / sizeof *free_rows; i++)
    if (strcmp(free_rows[i], example->name) == 0 && input == 0) return axis < 2;
  if (strcmp(example->name, "ThinOuter") == 0 || (strncmp(example->name, "Thin", 4) == 0 && input == 1))
    return axis == (strcmp(example->name, "ThinExpand") == 0 ? 0 : 1);
  if (strcmp(example->name, "Product") == 0) return axis == (input == 0 ? 1 : 0);
  static const char *const free_of_shape[] = {"SumOfSquares", "RoundToBfloat16", "WidenBfloat16"};
  for (size_t i = 0; i < sizeof free_of_shape / sizeof *free_of_shape; i++)
    if (strcmp(free_of_shape[i], example->name) == 0) return 1;
  if (strcmp(example->name, "PagedAttention") == 0) return input == 5;
  if (strcmp(example->name, "PagedAttentionInt16") == 0) return input == 6;
  if (strcmp(example->name, "Int8Rows") == 0) return input == 0;
  if (strcmp(example->name, "SelectTokens") == 0) return (input == 0 && axis == 1) || (input == 5 && axis == 0);
  int are_logits = strncmp(example->name, "CrossEntropy", 12) == 0 && example->inputs[input].rank == 2;
  return are_logits && axis == 1;
}

/* Each input with an axis longer and shorter, with none and with too many; each optional input absent. */
static void check_wrong_calls(const CustomOperator *operator, const Example *example, const char *path) {
  const KernelInfo info = right_attributes(example);
  Context context;
  int types[MOST_OUTPUTS];
  for (size_t i = 0; i < operator->get_input_count(operator); i++) {
    size_t rank = example->inputs[i].rank;
    for (size_t axis = 0; axis < rank; axis++) {
      for (int change = -1; change <= 1; change += 2) {
        set_up(&context, operator, example, types);
        context.inputs[i].sizes[axis] += change;
        const char *message = call(operator, &context, &info, 0);
        CHECK(message != NULL || is_free(example, i, axis), "%s on %s: takes input %zu with axis %zu changed by %d",
              example->name, path, i, axis, change);
      }
    }
    for (size_t wrong_rank = 0; wrong_rank <= MAX_AXES; wrong_rank += MAX_AXES) {
      set_up(&context, operator, example, types);
      context.inputs[i].rank = wrong_rank;
      for (size_t axis = 0; axis < wrong_rank; axis++) context.inputs[i].sizes[axis] = 1;
      const char *message = call(operator, &context, &info, 0);
      int is_scalar = wrong_rank == 0 && rank == 1 && example->inputs[i].sizes[0] == 1;
      CHECK(message != NULL || is_scalar || (wrong_rank == 0 && is_free(example, i, 2)),
            "%s on %s: takes input %zu with %zu axes", example->name, path, i, wrong_rank);
    }
    if (operator->get_input_characteristic(operator, i) == CHARACTERISTIC_OPTIONAL) {
      set_up(&context, operator, example, types);
      context.is_present[i] = 0;
      CHECK(call(operator, &context, &info, 0) == NULL, "%s on %s: needs input %zu", example->name, path, i);
    }
  }
}

/* Whether an attribute is a number that the operator has to check. */
static int reads_number(const char *name, const char *attribute) {
  const char *products = strstr(name, "Linear"), *last = name + strlen(name) - 1;
  if (strcmp(attribute, "in") == 0 || strcmp(attribute, "out") == 0) return products != NULL;
  if (strcmp(attribute, "out2") == 0) return products != NULL && (*last == '2' || *last == '3');
  if (strcmp(attribute, "out3") == 0) return products != NULL && *last == '3';
  if (strcmp(attribute, "bytes") == 0) return strstr(name, "BlockLinear") != NULL;
  return strcmp(attribute, "head_size") == 0 && strncmp(name, "Attention", 9) == 0;
}

static void check_wrong_attributes(const CustomOperator *operator, const Example *example, const char *path) {
  static const int64_t values[] = {-64, -1, 0, 1, 24, 33, 272, INT64_MAX};
  Context context;
  int types[MOST_OUTPUTS];
  for (size_t attribute = 0; attribute < ATTRIBUTE_COUNT; attribute++) {
    int is_read = reads_number(example->name, ATTRIBUTES[attribute]);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
      KernelInfo info = right_attributes(example);
      info.attributes[attribute] = values[i];
      set_up(&context, operator, example, types);
      const char *message = call(operator, &context, &info, 0);
      int is_right = attribute == BYTES && values[i] == 1;
      CHECK(message != NULL || !is_read || is_right, "%s on %s: takes %s = %lld", example->name, path, ATTRIBUTES[attribute],
            (long long)values[i]);
    }
  }
}

static void check_too_many_alternatives(const char *path) {
  Context context;
  int types[MOST_OUTPUTS];
  for (size_t e = 0; e < EXAMPLES; e++) {
    if (strcmp(examples[e].name, "SelectTokens") != 0) continue;
    const CustomOperator *operator = find_operator(examples[e].name);
    KernelInfo info = right_attributes(&examples[e]);
    info.attributes[TOP] = CLASSES + 1;
    set_up(&context, operator, &examples[e], types);
    CHECK(call(operator, &context, &info, 0) != NULL, "SelectTokens on %s: more alternatives than tokens", path);
  }
}

/* Integers that lead outside. */
static void check_wrong_values(const char *path) {
  static const struct {
    const char *name;
    int input;
    int64_t value;
    int from_end; /* which element */
  } wrong[] = {
      {"CrossEntropy", 1, -1, 0}, {"CrossEntropy", 1, CLASSES, 0}, {"CrossEntropyGrad", 2, -1, 0},
      {"CrossEntropyGrad", 2, CLASSES, 0}, {"Attention", 5, -1, 0}, {"Attention", 5, T, 0}, {"AttentionGrad", 6, -1, 0},
      {"AttentionGrad", 6, T, 0}, {"AttentionGrad", 6, 1000, 0},
      {"Int8Rows", 0, -1, 0}, {"Int8Rows", 0, OUT, 0},
      /* forced token and mask of the last row, the last seen token and its row, the row before */
      {"SelectTokens", 2, CLASSES, 2}, {"SelectTokens", 2, 2, 1}, {"SelectTokens", 3, -1, 0},
      {"SelectTokens", 3, CLASSES, 0},
      {"SelectTokens", 3, -1, 1}, {"SelectTokens", 3, T, 1}, {"SelectTokens", 3, 1, 3},
      {"PagedAttention", 5, -1, 0}, {"PagedAttention", 5, 3, 0}, {"PagedAttention", 6, -1, 0},
      {"PagedAttention", 6, 1, 0}, {"PagedAttention", 7, -1, 0}, {"PagedAttention", 7, T, 0},
      {"PagedAttentionInt16", 6, -1, 0}, {"PagedAttentionInt16", 7, 1, 0}, {"PagedAttentionInt16", 8, T, 0},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    const CustomOperator *operator = find_operator(wrong[i].name);
    Context context;
    KernelInfo info;
    int types[MOST_OUTPUTS];
    for (size_t e = 0; e < EXAMPLES; e++) {
      if (strcmp(examples[e].name, wrong[i].name) != 0) continue;
      info = right_attributes(&examples[e]);
      set_up(&context, operator, &examples[e], types);
    }
    for (size_t input = 0; input < context.input_count; input++)
      fill(&context.inputs[input], operator->get_input_type(operator, input));
    RuntimeValue *input = &context.inputs[wrong[i].input];
    int64_t last = count_elements(input) - 1 - wrong[i].from_end;
    if (operator->get_input_type(operator, wrong[i].input) == TYPE_INT64) ((int64_t *)input->data)[last] = wrong[i].value;
    else ((int32_t *)input->data)[last] = (int32_t)wrong[i].value;
    CHECK(call(operator, &context, &info, 1) != NULL, "%s on %s: takes %lld", wrong[i].name, path,
          (long long)wrong[i].value);
  }
}

int main(void) {
  const char *path;
  for (size_t index = 0; (path = flacuna_path(index)) != NULL; index++) {
    flacuna_use_path(path);
    for (are_constant = 0; are_constant <= 1; are_constant++) {
      for (size_t i = 0; i < EXAMPLES; i++) {
        const CustomOperator *operator = find_operator(examples[i].name);
        check_right_calls(operator, &examples[i], path);
        check_wrong_calls(operator, &examples[i], path);
        check_wrong_attributes(operator, &examples[i], path);
      }
      check_wrong_values(path);
      check_too_many_alternatives(path);
    }
  }
  CHECK(EXAMPLES == flacuna_operator_count(), "an operator has no example");
  CHECK(flacuna_operator(api_table, flacuna_operator_count(), 2) == NULL, "an operator past the last");
  return check_report("operators");
}

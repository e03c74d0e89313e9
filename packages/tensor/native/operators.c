/* The kernels as custom operators of ONNX Runtime: one table row per operator, and what the rows share. */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels.h"
#include "paths.h"
#include "pool.h"
#include "runtime.h"
#include "scratch.h"

#define MAX_RANK 8
#define MAX_INPUTS 11
#define MAX_OUTPUTS 5
#define MAX_ATTRIBUTES 6

static Api api;
#define CALL(position, type) ((type)api[position])

static Status *new_status(int code, const char *message) {
  return CALL(API_CREATE_STATUS, CreateStatus)(code, message);
}

/* ---- what an operator sees of one call ----------------------------------------------------------------- */

typedef struct {
  void *data; /* null when the optional input is absent */
  int64_t sizes[MAX_RANK];
  size_t rank;
} Tensor;

typedef struct {
  Context *context;
  const int64_t *attributes;
  const float *factors;
  const Tensor *constants; /* [MAX_INPUTS], without data where an input may change */
  size_t input_count;
  size_t threads; /* of the pool that this call may use; 0: the runtime's own */
  Parallel parallel;
  Status *status; /* of the first thing that failed */
} Call;

static void keep(Status **first, Status *status) {
  if (*first == NULL) *first = status;
}

static void fail(Call *call, const char *message) {
  if (call->status == NULL) call->status = new_status(CODE_INVALID_ARGUMENT, message);
}

static void run_parallel(const Parallel *self, Task task, size_t count, void *argument) {
  Call *call = self->context;
  if (call->threads == 1) {
    for (size_t i = 0; i < count; i++) task(argument, i);
    return;
  }
  if (call->threads > 1 && pool_run(call->threads, task, count, argument)) return;
  /* The runtime has threads for every session. One batch per piece: threads take the next when they are done, so uneven
     pieces balance. */
  keep(&call->status, CALL(API_PARALLEL_FOR, ParallelFor)(call->context, task, count, count, argument));
}

static Tensor read_value(const RuntimeValue *value, Status **status) {
  Tensor tensor = {0};
  ShapeInfo *info = NULL;
  keep(status, CALL(API_GET_SHAPE_INFO, GetShapeInfo)(value, &info));
  keep(status, CALL(API_GET_DIMENSIONS_COUNT, GetDimensionsCount)(info, &tensor.rank));
  if (tensor.rank > MAX_RANK) {
    if (*status == NULL) *status = new_status(CODE_INVALID_ARGUMENT, "flacuna operator: an input has more than 8 axes");
    tensor.rank = MAX_RANK;
  }
  keep(status, CALL(API_GET_DIMENSIONS, GetDimensions)(info, tensor.sizes, tensor.rank));
  CALL(API_RELEASE_SHAPE_INFO, ReleaseShapeInfo)(info);
  keep(status, CALL(API_GET_TENSOR_DATA, GetTensorData)((RuntimeValue *)value, &tensor.data));
  return tensor;
}

static Tensor input(Call *call, size_t index) {
  if (call->constants[index].data != NULL) return call->constants[index];
  const RuntimeValue *value = NULL;
  if (index < call->input_count) keep(&call->status, CALL(API_GET_INPUT, GetInput)(call->context, index, &value));
  return value == NULL ? (Tensor){0} : read_value(value, &call->status);
}

static void *output(Call *call, size_t index, const int64_t *sizes, size_t rank) {
  RuntimeValue *value = NULL;
  void *data = NULL;
  keep(&call->status, CALL(API_GET_OUTPUT, GetOutput)(call->context, index, sizes, rank, &value));
  if (value != NULL) keep(&call->status, CALL(API_GET_TENSOR_DATA, GetTensorData)(value, &data));
  return data;
}

/* The output with the sizes of `like`, the last one replaced. */
static void *output_of_width(Call *call, size_t index, const Tensor *like, int64_t width) {
  int64_t sizes[MAX_RANK];
  if (like->rank == 0) {
    fail(call, "flacuna operator: an input has no axes");
    return NULL;
  }
  memcpy(sizes, like->sizes, sizeof sizes);
  sizes[like->rank - 1] = width;
  return output(call, index, sizes, like->rank);
}

static void *output_like(Call *call, size_t index, const Tensor *like) {
  return output(call, index, like->sizes, like->rank);
}

/* The output with one element per row of `like`: [..., 1]. */
static void *output_of_rows(Call *call, size_t index, const Tensor *like) {
  return output_of_width(call, index, like, 1);
}

static int64_t width_of(const Tensor *tensor) {
  return tensor->rank == 0 ? 1 : tensor->sizes[tensor->rank - 1];
}

static int64_t elements_of(const Tensor *tensor) {
  int64_t count = 1;
  for (size_t axis = 0; axis < tensor->rank; axis++) count *= tensor->sizes[axis];
  return count;
}

static int64_t rows_of(const Tensor *tensor) {
  int64_t width = width_of(tensor);
  return width == 0 ? 0 : elements_of(tensor) / width;
}

/* ---- the operators ------------------------------------------------------------------------------------- */

static void expect_elements(Call *call, const Tensor *tensor, int64_t count, const char *message) {
  if (elements_of(tensor) != count) fail(call, message);
}

/* (x [..., K], column scales [K]?) -> q [..., K padded] uint8, scale [..., 1] */
static void compute_quantize_rows(Call *call) {
  Tensor x = input(call, 0), column_scale = input(call, 1);
  if (column_scale.data)
    expect_elements(call, &column_scale, width_of(&x), "QuantizeRows: column scales are not [K]");
  if (call->status) return;
  QuantizeRows arguments = {
      .rows = rows_of(&x),
      .width = width_of(&x),
      .x = x.data,
      .column_scale = column_scale.data,
      .q = output_of_width(call, 0, &x, round_up(width_of(&x), DEPTH_STEP)),
      .scale = output_of_rows(call, 1, &x),
  };
  if (!call->status) active_kernels()->quantize_rows(&arguments, &call->parallel);
}

/* (indices [N], packed, scales [out]) -> [N, in] */
static void compute_int8_rows(Call *call) {
  Tensor indices = input(call, 0), packed = input(call, 1), scales = input(call, 2);
  int64_t in = call->attributes[0], out = call->attributes[1], rows = elements_of(&indices);
  if (indices.rank != 1) fail(call, "Int8Rows: numbers have one axis");
  expect_elements(call, &packed, round_up(out, DEPTH_STEP) * round_up(in, DEPTH_STEP),
                  "Int8Rows: packed weights of another size");
  expect_elements(call, &scales, out, "Int8Rows: scales are not [out]");
  if (call->status) return;
  const int64_t *index = indices.data;
  for (int64_t row = 0; row < rows; row++)
    if (index[row] < 0 || index[row] >= out) return fail(call, "Int8Rows: there is no row of that number");
  Int8Rows arguments = {rows, in, index, packed.data, scales.data, output(call, 0, (int64_t[]){rows, in}, 2)};
  if (!call->status) active_kernels()->int8_rows(&arguments, &call->parallel);
}

static void check_addend(Call *call, const Tensor *addend, int64_t elements) {
  if (addend->data) expect_elements(call, addend, elements, "linear: the addend's shape is not the result's");
}

/* Inputs of both directions of an int8 product, which sums over `depth` columns and makes `width`. */
static void check_int8(Call *call, const Tensor inputs[4], int64_t depth, int64_t width) {
  const Tensor *q = &inputs[0], *scale = &inputs[1], *packed = &inputs[2], *sums = &inputs[3];
  int64_t bytes = round_up(depth, DEPTH_STEP) * round_up(width, DEPTH_STEP);
  expect_elements(call, packed, bytes, "int8 linear: packed weights of another size");
  expect_elements(call, sums, round_up(width, DEPTH_STEP), "int8 linear: sums are not one per padded column");
  expect_elements(call, scale, rows_of(q), "int8 linear: scales are not one per row");
  if (width_of(q) != round_up(depth, DEPTH_STEP))
    fail(call, "int8 linear: rows of another width than the weights");
}

/* The product of inputs 0 and 1 (q [..., in padded], scale [..., 1]) with the weight from input `first` on: packed, column
   scales [out], sums [out padded]. Where it goes is still open. */
static Int8Product read_int8_product(Call *call, size_t first) {
  int64_t in = call->attributes[0], out = call->attributes[1];
  Tensor inputs[] = {input(call, 0), input(call, 1), input(call, first), input(call, first + 2)};
  Tensor column_scale = input(call, first + 1);
  check_int8(call, inputs, in, out);
  expect_elements(call, &column_scale, out, "int8 linear: column scales are not [out]");
  return (Int8Product){
      .rows = rows_of(&inputs[0]),
      .in = in,
      .out = out,
      .q = inputs[0].data,
      .row_scale = inputs[1].data,
      .packed = inputs[2].data,
      .column_scale = column_scale.data,
      .sums = inputs[3].data,
  };
}

/* (q, scale, weight, addend?) -> y [..., out] */
static void compute_int8_linear(Call *call) {
  Tensor q = input(call, 0), addend = input(call, 5);
  Int8Product arguments = read_int8_product(call, 2);
  check_addend(call, &addend, arguments.rows * arguments.out);
  if (call->status) return;
  arguments.addend = addend.data;
  arguments.y = output_of_width(call, 0, &q, arguments.out);
  if (!call->status) active_kernels()->int8_forward(&arguments, &call->parallel);
}

/* (q [..., out padded], scale [..., 1], packed, sums [in padded], addend?) -> y [..., in] */
static void compute_int8_linear_transposed(Call *call) {
  int64_t in = call->attributes[0], out = call->attributes[1];
  Tensor inputs[] = {input(call, 0), input(call, 1), input(call, 2), input(call, 3)};
  Tensor addend = input(call, 4);
  check_int8(call, inputs, out, in);
  check_addend(call, &addend, rows_of(&inputs[0]) * in);
  if (call->status) return;
  Int8Product arguments = {
      .rows = rows_of(&inputs[0]),
      .in = in,
      .out = out,
      .q = inputs[0].data,
      .row_scale = inputs[1].data,
      .packed = inputs[2].data,
      .sums = inputs[3].data,
      .addend = addend.data,
      .y = output_of_width(call, 0, &inputs[0], in),
  };
  if (!call->status) active_kernels()->int8_backward(&arguments, &call->parallel);
}

/* Packed panels are padded to this in both sizes; it is also the length of a 4-bit block. */
#define PANEL_STEP 32

/* The shared half of the four products with unpacked panels. */
static void compute_panels(Call *call, WeightFormat format, int is_transposed) {
  int64_t in = call->attributes[0], out = call->attributes[1];
  int64_t depth = is_transposed ? out : in, width = is_transposed ? in : out;
  int is_int4 = format == WEIGHTS_INT4, parts = is_int4 ? 3 : format == WEIGHTS_INT16 ? 2 : 1;
  Tensor x = input(call, 0), packed = input(call, 1), scales = {0}, minimums = {0};
  if (parts > 1) scales = input(call, 2);
  if (parts > 2) minimums = input(call, 3);
  Tensor addend = input(call, 1 + parts);
  int64_t weights = round_up(out, PANEL_STEP) * round_up(in, PANEL_STEP);
  if (is_int4) {
    if (in % PANEL_STEP != 0) fail(call, "4-bit linear: the inputs are not a multiple of 32");
    expect_elements(call, &scales, weights / PANEL_STEP, "4-bit linear: scales are not one per block");
    expect_elements(call, &minimums, weights / PANEL_STEP, "4-bit linear: minimums are not one per block");
  }
  if (format == WEIGHTS_INT16)
    expect_elements(call, &scales, round_up(out, PANEL_STEP), "16-bit linear: scales are not one per output");
  expect_elements(call, &packed, is_int4 ? weights / 2 : weights, "linear: packed weights of another size");
  if (width_of(&x) != depth) fail(call, "linear: rows of another width than the weights");
  check_addend(call, &addend, rows_of(&x) * width);
  if (call->status) return;
  PanelProduct arguments = {
      .rows = rows_of(&x),
      .in = in,
      .out = out,
      .format = format,
      .x = x.data,
      .packed = packed.data,
      .scales = is_int4 ? scales.data : NULL,
      .minimums = minimums.data,
      .row_scales = is_int4 ? NULL : scales.data,
      .addend = addend.data,
      .y = output_of_width(call, 0, &x, width),
  };
  if (call->status) return;
  const Kernels *kernels = active_kernels();
  (is_transposed ? kernels->panel_backward : kernels->panel_forward)(&arguments, &call->parallel);
}
/* (x, packed, addend?) -> y, forward [..., out], transposed [..., in] */
static void compute_bfloat16_linear(Call *call) { compute_panels(call, WEIGHTS_BFLOAT16, 0); }
static void compute_bfloat16_linear_transposed(Call *call) { compute_panels(call, WEIGHTS_BFLOAT16, 1); }
/* (x, packed, scales, addend?) -> y */
static void compute_int16_linear(Call *call) { compute_panels(call, WEIGHTS_INT16, 0); }
static void compute_int16_linear_transposed(Call *call) { compute_panels(call, WEIGHTS_INT16, 1); }
/* (x, packed, scales, minimums, addend?) -> y */
static void compute_int4_linear(Call *call) { compute_panels(call, WEIGHTS_INT4, 0); }
static void compute_int4_linear_transposed(Call *call) { compute_panels(call, WEIGHTS_INT4, 1); }

/* Rows in blocks wait here for their product, on the thread that runs the operator; the kernels use the slots below. */
#define BLOCKS_SLOT (SCRATCH_SLOTS - 1)

/* Room for `rows` rows of `width` in blocks of `block`, with `bytes` bytes a value. */
static BlockRows scratch_blocks(int64_t rows, int64_t width, int64_t block, int64_t bytes) {
  int64_t padded = round_up(width, DEPTH_STEP), q_bytes = rows * bytes * padded, blocks = q_bytes / block;
  int8_t *q = scratch(BLOCKS_SLOT, q_bytes + 3 * blocks * sizeof(float));
  float *scale = (float *)(q + q_bytes), *rest = scale + blocks;
  BlockRows to = {.block = block, .bytes = bytes, .q = q, .scale = scale};
  if (block == 64) to.start = (int32_t *)rest;
  else to.shift = rest, to.offset = rest + blocks;
  return to;
}

/* The Hadamard matrix is of order 64. */
static void check_runs(Call *call, int64_t width) {
  if (width % 64 != 0) fail(call, "Hadamard: the width is not a multiple of 64");
}

/* What a product in blocks does with its rows first; the last two read gate and up, the second to last one the norm's gain. */
enum { PROLOGUE_NONE, PROLOGUE_NORM, PROLOGUE_SWIGLU, PROLOGUE_SWIGLU_HADAMARD };

/* x, after the prologue, in blocks. */
static void make_blocks(Call *call, const Tensor *x, const Tensor *companion, int64_t prologue, BlockRows to) {
  const Kernels *kernels = active_kernels();
  int64_t rows = rows_of(x), width = width_of(x);
  if (companion->data == NULL)
    kernels->quantize_blocks(&(QuantizeBlocks){rows, width, x->data, to}, &call->parallel);
  else if (prologue >= PROLOGUE_SWIGLU)
    kernels->swiglu(&(Swiglu){.rows = rows, .width = width, .hadamard = prologue == PROLOGUE_SWIGLU_HADAMARD,
                              .gate = x->data, .up = companion->data, .blocks = to},
                    &call->parallel);
  else
    kernels->rms_norm(&(RmsNorm){.rows = rows, .width = width, .epsilon = call->factors[0], .x = x->data,
                                 .gain = companion->data, .blocks = to},
                      &call->parallel);
}

/* A weight [out, in] from input `first` on. */
static BlockWeights read_block_weights(Call *call, WeightFormat format, size_t first, int64_t out, int64_t in) {
  Tensor packed = input(call, first), scales = input(call, first + 1);
  if (format == WEIGHTS_INT8) {
    expect_elements(call, &packed, round_up(out, DEPTH_STEP) * round_up(in, DEPTH_STEP),
                    "linear in blocks: packed weights of another size");
    expect_elements(call, &scales, out, "linear in blocks: column scales are not [out]");
    return (BlockWeights){.out = out, .packed = packed.data, .column_scale = scales.data};
  }
  Tensor minimums = input(call, first + 2);
  int64_t weights = round_up(out, PANEL_STEP) * in;
  if (in % PANEL_STEP != 0) fail(call, "4-bit linear: the inputs are not a multiple of 32");
  expect_elements(call, &packed, weights / 2, "linear in blocks: packed weights of another size");
  expect_elements(call, &scales, weights / PANEL_STEP, "4-bit linear: scales are not one per block");
  expect_elements(call, &minimums, weights / PANEL_STEP, "4-bit linear: minimums are not one per block");
  return (BlockWeights){.out = out, .packed = packed.data, .scales = scales.data, .minimums = minimums.data};
}

/* (x [..., in], the parts of `count` weights, companion?, and for one weight addend?) -> y [..., out] of each.
   The companion is `up`, like x, for prologues that gate, and else the gain of a norm [in]. */
static void compute_block_linear(Call *call, WeightFormat format, int count) {
  int64_t bytes = call->attributes[1], in = call->attributes[2];
  const int64_t *outs = call->attributes + 3;
  int64_t prologue = call->attributes[0];
  size_t parts = format == WEIGHTS_INT8 ? 2 : 3, last = 1 + count * parts;
  Tensor x = input(call, 0), companion = input(call, last), addend = {0};
  BlockProduct product = {.format = format, .rows = rows_of(&x), .in = in, .count = count};
  if (bytes != 1 && bytes != 2) fail(call, "linear in blocks: values of neither one byte nor two");
  if (width_of(&x) != in) fail(call, "linear in blocks: rows of another width than the weights");
  if (prologue == PROLOGUE_SWIGLU_HADAMARD) check_runs(call, in);
  if (companion.data)
    expect_elements(call, &companion, prologue >= PROLOGUE_SWIGLU ? elements_of(&x) : in,
                    "linear in blocks: a companion of another size");
  for (int i = 0; i < count; i++)
    product.weights[i] = read_block_weights(call, format, 1 + i * parts, outs[i], in);
  if (count == 1) addend = input(call, last + 1);
  check_addend(call, &addend, product.rows * outs[0]);
  product.weights[0].addend = addend.data;
  for (int i = 0; i < count && !call->status; i++) product.weights[i].y = output_of_width(call, i, &x, outs[i]);
  if (call->status || product.rows == 0) return;
  product.x = scratch_blocks(product.rows, in, format == WEIGHTS_INT8 ? 64 : 32, bytes);
  make_blocks(call, &x, &companion, prologue, product.x);
  active_kernels()->block_product(&product, &call->parallel);
}
static void compute_int8_block_linear(Call *call) { compute_block_linear(call, WEIGHTS_INT8, 1); }
static void compute_int8_block_linear2(Call *call) { compute_block_linear(call, WEIGHTS_INT8, 2); }
static void compute_int8_block_linear3(Call *call) { compute_block_linear(call, WEIGHTS_INT8, 3); }
static void compute_int4_block_linear(Call *call) { compute_block_linear(call, WEIGHTS_INT4, 1); }
static void compute_int4_block_linear2(Call *call) { compute_block_linear(call, WEIGHTS_INT4, 2); }
static void compute_int4_block_linear3(Call *call) { compute_block_linear(call, WEIGHTS_INT4, 3); }

/* (q, scale, gate's weight, up's, down's packed and column scales [in], addend [..., in]?)
   -> y [..., in], gate [..., out], up [..., out] */
static void compute_int8_feed_forward(Call *call) {
  int64_t in = call->attributes[0], inner = call->attributes[1];
  Tensor q = input(call, 0), addend = input(call, 10);
  Int8Swiglu rows = {.gate = read_int8_product(call, 2), .up = read_int8_product(call, 5)};
  BlockProduct down = {.format = WEIGHTS_INT8, .rows = rows.gate.rows, .in = inner, .count = 1};
  down.weights[0] = read_block_weights(call, WEIGHTS_INT8, 8, in, inner);
  rows.hadamard = call->attributes[2] != 0;
  if (rows.hadamard) check_runs(call, inner);
  check_addend(call, &addend, down.rows * in);
  if (call->status) return;
  down.weights[0].addend = addend.data;
  down.weights[0].y = output_of_width(call, 0, &q, in);
  rows.kept_gate = output_of_width(call, 1, &q, inner);
  rows.kept_up = output_of_width(call, 2, &q, inner);
  if (call->status || down.rows == 0) return;
  down.x = rows.blocks = scratch_blocks(down.rows, inner, 64, 1);
  active_kernels()->int8_swiglu(&rows, &call->parallel);
  active_kernels()->block_product(&down, &call->parallel);
}

/* Queries [B, T, H*D] and keys [B, T, K*D], with D a size that the kernels take and H a multiple of K. */
static void check_heads(Call *call, const Tensor *query, const Tensor *key, int64_t head_size) {
  if (head_size < 16 || head_size > 256 || head_size % 16 != 0)
    return fail(call, "Attention: the head size is not a multiple of 16 from 16 to 256");
  if (query->rank != 3 || key->rank != 3) return fail(call, "Attention: queries and keys have three axes");
  if (key->sizes[0] != query->sizes[0] || key->sizes[1] != query->sizes[1])
    return fail(call, "Attention: keys of another length than the queries");
  if (query->sizes[2] % head_size != 0 || key->sizes[2] % head_size != 0 || key->sizes[2] == 0)
    return fail(call, "Attention: queries or keys are not whole heads");
  if (query->sizes[2] % key->sizes[2] != 0) fail(call, "Attention: the heads do not share key heads evenly");
}

/* Fills in what both directions read: query, key, value, cos, sin, starts from input `first` on. */
static Attention read_attention(Call *call, size_t first, Tensor inputs[6]) {
  for (size_t index = 0; index < 6; index++) inputs[index] = input(call, first + index);
  Tensor *query = &inputs[0], *key = &inputs[1];
  int64_t head_size = call->attributes[0];
  check_heads(call, query, key, head_size);
  if (call->status) return (Attention){0};
  Attention arguments = {
      .batch = query->sizes[0],
      .length = query->sizes[1],
      .heads = query->sizes[2] / head_size,
      .key_value_heads = key->sizes[2] / head_size,
      .head_size = head_size,
      .allow_bfloat16 = call->attributes[1] != 0,
      .query = query->data,
      .key = key->data,
      .value = inputs[2].data,
      .cos = inputs[3].data,
      .sin = inputs[4].data,
      .starts = inputs[5].data,
  };
  int64_t rows = arguments.batch * arguments.length;
  expect_elements(call, &inputs[2], elements_of(key), "Attention: values of another shape than the keys");
  expect_elements(call, &inputs[3], arguments.length * head_size / 2, "Attention: cosines are not [T, D/2]");
  expect_elements(call, &inputs[4], arguments.length * head_size / 2, "Attention: sines are not [T, D/2]");
  expect_elements(call, &inputs[5], rows, "Attention: starts are not [B, T]");
  /* The kernels step through memory by these: a wrong one must not get that far. */
  for (int64_t row = 0; !call->status && row < rows; row++) {
    int32_t start = arguments.starts[row], position = (int32_t)(row % arguments.length);
    int32_t before = position == 0 ? 0 : arguments.starts[row - 1];
    if (start < before || start > position) fail(call, "Attention: starts fall, or lie after their token");
  }
  return arguments;
}

/* (query, key, value, cos, sin, starts) -> mixed [B, T, H*D], log-sum-exp [B, H, T] */
static void compute_attention(Call *call) {
  Tensor inputs[6];
  Attention arguments = read_attention(call, 0, inputs);
  if (call->status) return;
  arguments.mixed = output_like(call, 0, &inputs[0]);
  arguments.log_sum_exp = output(call, 1, (int64_t[]){arguments.batch, arguments.heads, arguments.length}, 3);
  if (!call->status) active_kernels()->attention_forward(&arguments, &call->parallel);
}

/* (g, query, key, value, cos, sin, starts, mixed, log-sum-exp) -> d_query, d_key, d_value */
static void compute_attention_grad(Call *call) {
  Tensor inputs[6], g = input(call, 0), mixed = input(call, 7), log_sum_exp = input(call, 8);
  Attention arguments = read_attention(call, 1, inputs);
  if (call->status) return;
  expect_elements(call, &g, elements_of(&inputs[0]),
                  "AttentionGrad: the cotangent is not the queries' shape");
  expect_elements(call, &mixed, elements_of(&inputs[0]), "AttentionGrad: mixed is not the queries' shape");
  expect_elements(call, &log_sum_exp, arguments.batch * arguments.length * arguments.heads,
                  "AttentionGrad: log-sum-exp is not [B, H, T]");
  if (call->status) return;
  arguments.d_mixed = g.data;
  arguments.mixed = mixed.data;
  arguments.log_sum_exp = log_sum_exp.data;
  arguments.d_query = output_like(call, 0, &inputs[0]);
  arguments.d_key = output_like(call, 1, &inputs[1]);
  arguments.d_value = output_like(call, 2, &inputs[2]);
  if (!call->status) active_kernels()->attention_backward(&arguments, &call->parallel);
}

static void expect_sizes(Call *call, const Tensor *tensor, size_t rank, const int64_t *sizes, const char *message) {
  if (tensor->rank != rank || memcmp(tensor->sizes, sizes, rank * sizeof *sizes) != 0) fail(call, message);
}

/* What tokens need lies in pages that are there, and tokens of one sequence follow each other. */
static void check_places(Call *call, const PagedAttention *p, int64_t sequences, int64_t pages, int64_t angles) {
  int64_t room = p->page_columns * p->page_size;
  for (int64_t token = 0; token < p->tokens; token++) {
    int64_t sequence = p->sequence[token], position = p->positions[token];
    if (sequence < 0 || sequence >= sequences || position < 0 || position >= room || position >= angles)
      return fail(call, "PagedAttention: a token past the sequences, their pages or the angles");
    if (token > 0 && p->sequence[token - 1] == sequence && p->positions[token - 1] + 1 != position)
      return fail(call, "PagedAttention: positions of a sequence do not follow each other");
    if (token + 1 < p->tokens && p->sequence[token + 1] == sequence) continue;
    for (int64_t column = 0; column <= position / p->page_size; column++) {
      int64_t page = p->pages[sequence * p->page_columns + column];
      if (page < 0 || page >= pages) return fail(call, "PagedAttention: a page outside the pool");
    }
  }
}

static int are_page_sizes(int64_t heads, int64_t head_size, int64_t page_size) {
  return heads > 0 && head_size >= 16 && head_size <= 256 && head_size % 16 == 0 && page_size > 0 &&
         page_size % 16 == 0;
}

/* The output that holds the input's pages: the same memory when the caller binds one value to both. */
static void *output_over(Call *call, size_t index, const Tensor *pages, size_t element) {
  void *data = output_like(call, index, pages);
  if (!call->status && data != pages->data) memcpy(data, pages->data, elements_of(pages) * element);
  return data;
}

/* (query [N, H*D], key, value [N, K*D], pages ..., pages of sequences [S, E], sequence, positions [N], cos, sin [L, D/2])
   -> mixed, pages ... The pages are keys [G, K, D, P] and values [G, K, P, D], or of integers keys [G, K, D/2, P, 2],
   values [G, K, P/2, D, 2] and scales [G, K, 2, P]. */
static void compute_pages(Call *call, int is_integer) {
  Tensor inputs[11];
  const size_t past = is_integer ? 6 : 5, rank = is_integer ? 5 : 4;
  for (size_t index = 0; index < past + 5; index++) inputs[index] = input(call, index);
  const Tensor *query = &inputs[0], *keys = &inputs[3], *values = &inputs[4], *scales = &inputs[5];
  const Tensor *pages = &inputs[past], *sequence = &inputs[past + 1], *positions = &inputs[past + 2];
  const Tensor *cos = &inputs[past + 3], *sin = &inputs[past + 4];
  if (call->status) return;
  if (keys->rank != rank) return fail(call, "PagedAttention: pages of keys have too many or too few axes");
  int64_t heads = keys->sizes[1], head_size = keys->sizes[2] * (is_integer ? 2 : 1), page_size = keys->sizes[3];
  if (!are_page_sizes(heads, head_size, page_size))
    return fail(call, "PagedAttention: pages of a size that the kernels do not take");
  int64_t width = heads * head_size;
  if (query->rank != 2 || query->sizes[1] == 0 || query->sizes[1] % width != 0)
    return fail(call, "PagedAttention: queries are not [N, H*D] with heads that share key heads evenly");
  int64_t tokens = query->sizes[0], row[] = {tokens, width}, angles[] = {cos->sizes[0], head_size / 2};
  int64_t of_keys[] = {keys->sizes[0], heads, keys->sizes[2], page_size, 2};
  int64_t of_values[] = {keys->sizes[0], heads, is_integer ? page_size / 2 : page_size, head_size, 2};
  int64_t of_scales[] = {keys->sizes[0], heads, 2, page_size};
  expect_sizes(call, &inputs[1], 2, row, "PagedAttention: keys are not [N, K*D]");
  expect_sizes(call, &inputs[2], 2, row, "PagedAttention: values are not [N, K*D]");
  expect_sizes(call, keys, rank, of_keys, "PagedAttention: pages of keys are not [G, K, D/2, P, 2]");
  expect_sizes(call, values, rank, of_values, "PagedAttention: pages of values do not fit those of keys");
  if (is_integer) expect_sizes(call, scales, 4, of_scales, "PagedAttention: scales are not [G, K, 2, P]");
  if (pages->rank != 2) return fail(call, "PagedAttention: the sequences' pages are not [S, E]");
  expect_sizes(call, sequence, 1, &tokens, "PagedAttention: sequences are not [N]");
  expect_sizes(call, positions, 1, &tokens, "PagedAttention: positions are not [N]");
  expect_sizes(call, cos, 2, angles, "PagedAttention: cosines are not [L, D/2]");
  expect_sizes(call, sin, 2, angles, "PagedAttention: sines are not [L, D/2]");
  PagedAttention arguments = {
      .tokens = tokens,
      .heads = query->sizes[1] / head_size,
      .key_value_heads = heads,
      .head_size = head_size,
      .page_size = page_size,
      .page_columns = pages->sizes[1],
      .query = query->data,
      .key = inputs[1].data,
      .value = inputs[2].data,
      .pages = pages->data,
      .sequence = sequence->data,
      .positions = positions->data,
      .cos = cos->data,
      .sin = sin->data,
  };
  if (!call->status) check_places(call, &arguments, pages->sizes[0], keys->sizes[0], angles[0]);
  if (call->status) return;
  size_t element = is_integer ? sizeof(int16_t) : sizeof(float);
  arguments.mixed = output_like(call, 0, query);
  arguments.keys = output_over(call, 1, keys, element);
  arguments.values = output_over(call, 2, values, element);
  if (is_integer) arguments.scales = output_over(call, 3, scales, sizeof(float));
  if (!call->status) active_kernels()->paged_attention(&arguments, &call->parallel);
}
static void compute_paged_attention(Call *call) { compute_pages(call, 0); }
static void compute_paged_attention_int16(Call *call) { compute_pages(call, 1); }

/* (x, gain) -> normalised, inverse [..., 1], q, scale [..., 1] */
static void compute_rms_norm_quantize(Call *call) {
  Tensor x = input(call, 0), gain = input(call, 1);
  expect_elements(call, &gain, width_of(&x), "RmsNormQuantize: the gain is not [C]");
  if (call->status) return;
  RmsNorm arguments = {
      .rows = rows_of(&x),
      .width = width_of(&x),
      .epsilon = call->factors[0],
      .x = x.data,
      .gain = gain.data,
      .normalised = output_like(call, 0, &x),
      .inverse = output_of_rows(call, 1, &x),
      .q = output_of_width(call, 2, &x, round_up(width_of(&x), DEPTH_STEP)),
      .scale = output_of_rows(call, 3, &x),
  };
  if (!call->status) active_kernels()->rms_norm(&arguments, &call->parallel);
}

/* (g, x, gain, inverse, addend?) -> dx */
static void compute_rms_norm_grad(Call *call) {
  Tensor g = input(call, 0), x = input(call, 1), gain = input(call, 2), inverse = input(call, 3);
  Tensor addend = input(call, 4);
  expect_elements(call, &g, elements_of(&x), "RmsNormGrad: the cotangent is not x's shape");
  expect_elements(call, &gain, width_of(&x), "RmsNormGrad: the gain is not [C]");
  expect_elements(call, &inverse, rows_of(&x), "RmsNormGrad: the inverse is not one per row");
  check_addend(call, &addend, elements_of(&x));
  if (call->status) return;
  RmsNormGrad arguments = {
      .rows = rows_of(&x),
      .width = width_of(&x),
      .g = g.data,
      .x = x.data,
      .gain = gain.data,
      .inverse = inverse.data,
      .addend = addend.data,
      .dx = output_like(call, 0, &x),
  };
  if (!call->status) active_kernels()->rms_norm_grad(&arguments, &call->parallel);
}

/* (gate, up) -> h */
static void compute_swiglu(Call *call) {
  Tensor gate = input(call, 0), up = input(call, 1);
  expect_elements(call, &up, elements_of(&gate), "Swiglu: gate and up differ in shape");
  if (call->attributes[0]) check_runs(call, width_of(&gate));
  if (call->status) return;
  Swiglu arguments = {
      .rows = rows_of(&gate),
      .width = width_of(&gate),
      .hadamard = call->attributes[0] != 0,
      .gate = gate.data,
      .up = up.data,
      .h = output_like(call, 0, &gate),
  };
  if (!call->status) active_kernels()->swiglu(&arguments, &call->parallel);
}

/* (gate, up) -> q, scale [..., 1] */
static void compute_swiglu_quantize(Call *call) {
  Tensor gate = input(call, 0), up = input(call, 1);
  expect_elements(call, &up, elements_of(&gate), "SwigluQuantize: gate and up differ in shape");
  if (call->attributes[0]) check_runs(call, width_of(&gate));
  if (call->status) return;
  Swiglu arguments = {
      .rows = rows_of(&gate),
      .width = width_of(&gate),
      .hadamard = call->attributes[0] != 0,
      .gate = gate.data,
      .up = up.data,
      .q = output_of_width(call, 0, &gate, round_up(width_of(&gate), DEPTH_STEP)),
      .scale = output_of_rows(call, 1, &gate),
  };
  if (!call->status) active_kernels()->swiglu(&arguments, &call->parallel);
}

/* (g, gate, up) -> d_gate, d_up */
static void compute_swiglu_grad(Call *call) {
  Tensor g = input(call, 0), gate = input(call, 1), up = input(call, 2);
  expect_elements(call, &up, elements_of(&gate), "SwigluGrad: gate and up differ in shape");
  if (call->attributes[0]) check_runs(call, width_of(&gate));
  expect_elements(call, &g, elements_of(&gate), "SwigluGrad: the cotangent is not the gate's shape");
  if (call->status) return;
  SwigluGrad arguments = {
      .rows = rows_of(&gate),
      .width = width_of(&gate),
      .hadamard = call->attributes[0] != 0,
      .g = g.data,
      .gate = gate.data,
      .up = up.data,
      .d_gate = output_like(call, 0, &gate),
      .d_up = output_like(call, 1, &gate),
  };
  if (!call->status) active_kernels()->swiglu_grad(&arguments, &call->parallel);
}

/* (g, gate, up, gate's column scales [C], up's) -> q and scale of d_gate, q and scale of d_up */
static void compute_quantized_swiglu_grad(Call *call, int are_kept) {
  Tensor g = input(call, 0), gate = input(call, 1), up = input(call, 2);
  Tensor gate_scale = input(call, 3), up_scale = input(call, 4);
  int64_t width = width_of(&gate), padded = round_up(width, DEPTH_STEP);
  if (call->attributes[0]) check_runs(call, width_of(&gate));
  expect_elements(call, &up, elements_of(&gate), "SwigluGradQuantize: gate and up differ in shape");
  expect_elements(call, &g, elements_of(&gate), "SwigluGradQuantize: the cotangent is not the gate's shape");
  expect_elements(call, &gate_scale, width, "SwigluGradQuantize: the gate's column scales are not [C]");
  expect_elements(call, &up_scale, width, "SwigluGradQuantize: up's column scales are not [C]");
  if (call->status) return;
  SwigluGrad arguments = {
      .rows = rows_of(&gate),
      .width = width,
      .hadamard = call->attributes[0] != 0,
      .g = g.data,
      .gate = are_kept ? NULL : gate.data,
      .up = are_kept ? NULL : up.data,
      .kept_gate = are_kept ? gate.data : NULL,
      .kept_up = are_kept ? up.data : NULL,
      .quantized_gate = {gate_scale.data, output_of_width(call, 0, &gate, padded),
                         output_of_rows(call, 1, &gate)},
      .quantized_up = {up_scale.data, output_of_width(call, 2, &gate, padded),
                       output_of_rows(call, 3, &gate)},
  };
  if (!call->status) active_kernels()->swiglu_grad(&arguments, &call->parallel);
}

static void compute_swiglu_grad_quantize(Call *call) { compute_quantized_swiglu_grad(call, 0); }
static void compute_swiglu_grad_quantize_kept(Call *call) { compute_quantized_swiglu_grad(call, 1); }

/* x -> x in bfloat16 */
static void compute_round_to_bfloat16(Call *call) {
  Tensor x = input(call, 0);
  Bfloat16Cast arguments = {elements_of(&x), x.data, output_like(call, 0, &x)};
  if (!call->status) active_kernels()->round_to_bfloat16(&arguments, &call->parallel);
}

/* x in bfloat16 -> x */
static void compute_widen_bfloat16(Call *call) {
  Tensor x = input(call, 0);
  Bfloat16Cast arguments = {elements_of(&x), output_like(call, 0, &x), x.data};
  if (!call->status) active_kernels()->widen_bfloat16(&arguments, &call->parallel);
}

/* x -> x with each run of 64 columns transformed */
static void compute_hadamard(Call *call) {
  Tensor x = input(call, 0);
  check_runs(call, width_of(&x));
  if (call->status) return;
  Hadamard arguments = {
      .rows = rows_of(&x),
      .width = width_of(&x),
      .x = x.data,
      .y = output_like(call, 0, &x),
  };
  if (!call->status) active_kernels()->hadamard(&arguments, &call->parallel);
}

static void check_labels(Call *call, const Tensor *labels, int64_t rows, int64_t classes) {
  expect_elements(call, labels, rows, "CrossEntropy: one label per row");
  const int64_t *each = labels->data;
  for (int64_t row = 0; !call->status && row < rows; row++)
    if (each[row] < 0 || each[row] >= classes) fail(call, "CrossEntropy: a label is outside 0 ... V - 1");
}

/* (logits [N, V], labels [N]) -> loss [N], log-sum-exp [N] */
static void compute_cross_entropy(Call *call) {
  Tensor logits = input(call, 0), labels = input(call, 1);
  check_labels(call, &labels, rows_of(&logits), width_of(&logits));
  if (call->status) return;
  CrossEntropy arguments = {
      .rows = rows_of(&logits),
      .classes = width_of(&logits),
      .logits = logits.data,
      .labels = labels.data,
      .loss = output_like(call, 0, &labels),
      .log_sum_exp = output_like(call, 1, &labels),
  };
  if (!call->status) active_kernels()->cross_entropy(&arguments, &call->parallel);
}

/* (g [N], logits [N, V], labels [N], log-sum-exp [N]) -> d_logits [N, V] */
static void compute_cross_entropy_grad(Call *call) {
  Tensor g = input(call, 0), logits = input(call, 1), labels = input(call, 2), log_sum_exp = input(call, 3);
  check_labels(call, &labels, rows_of(&logits), width_of(&logits));
  expect_elements(call, &g, rows_of(&logits), "CrossEntropyGrad: one cotangent per row");
  expect_elements(call, &log_sum_exp, rows_of(&logits), "CrossEntropyGrad: one log-sum-exp per row");
  if (call->status) return;
  CrossEntropyGrad arguments = {
      .rows = rows_of(&logits),
      .classes = width_of(&logits),
      .g = g.data,
      .logits = logits.data,
      .log_sum_exp = log_sum_exp.data,
      .labels = labels.data,
      .d_logits = output_like(call, 0, &logits),
  };
  if (!call->status) active_kernels()->cross_entropy_grad(&arguments, &call->parallel);
}

/* The columns of a table of two axes. */
static void expect_columns(Call *call, const Tensor *tensor, int64_t columns, const char *message) {
  if (tensor->rank != 2 || tensor->sizes[1] != columns) fail(call, message);
}

/* The kernel steps through memory by these. */
static void check_select_integers(Call *call, const SelectTokens *p, int64_t masks) {
  for (int64_t row = 0; !call->status && row < p->rows; row++) {
    if (p->integers[row].forced >= p->vocabulary) fail(call, "SelectTokens: a forced token is outside 0 ... V - 1");
    if (p->integers[row].mask >= masks) fail(call, "SelectTokens: a row asks for a mask that is not there");
  }
  for (int64_t i = 0, row = 0; !call->status && i < p->seen_count; row = p->seen[i++].row) {
    if (p->seen[i].row < row || p->seen[i].row >= p->rows) fail(call, "SelectTokens: rows of seen tokens fall, or are none");
    if (p->seen[i].id < 0 || p->seen[i].id >= p->vocabulary) fail(call, "SelectTokens: a seen token is outside 0 ... V - 1");
  }
}

/* (logits [R, V], numbers [R, 8], integers [R, 4], seen [M, 2], counts [M, 2], masks [Q, ceil(V / 32)])
   -> token [R], log-probability [R], is greedy [R], top ids [R, top], their log-probabilities [R, top] */
static void compute_select_tokens(Call *call) {
  Tensor logits = input(call, 0), numbers = input(call, 1), integers = input(call, 2);
  Tensor seen = input(call, 3), counts = input(call, 4), masks = input(call, 5);
  int64_t rows = logits.rank == 2 ? logits.sizes[0] : -1, vocabulary = width_of(&logits), top = call->attributes[0];
  if (rows < 0) fail(call, "SelectTokens: logits have two axes");
  expect_columns(call, &numbers, 8, "SelectTokens: numbers are not [R, 8]");
  expect_columns(call, &integers, 4, "SelectTokens: integers are not [R, 4]");
  expect_columns(call, &seen, 2, "SelectTokens: seen tokens are not [M, 2]");
  expect_columns(call, &counts, 2, "SelectTokens: counts are not [M, 2]");
  expect_columns(call, &masks, (vocabulary + 31) / 32, "SelectTokens: masks are not [Q, ceil(V / 32)]");
  if (vocabulary > INT32_MAX || top > vocabulary) fail(call, "SelectTokens: more alternatives than tokens");
  if (call->status) return;
  expect_elements(call, &numbers, rows * 8, "SelectTokens: one row of numbers per row of logits");
  expect_elements(call, &integers, rows * 4, "SelectTokens: one row of integers per row of logits");
  expect_elements(call, &counts, elements_of(&seen), "SelectTokens: counts are not one per seen token");
  if (call->status) return;
  SelectTokens arguments = {
      .rows = rows,
      .vocabulary = vocabulary,
      .seen_count = seen.sizes[0],
      .top = top,
      .logits = logits.data,
      .numbers = numbers.data,
      .integers = integers.data,
      .seen = seen.data,
      .counts = counts.data,
      .masks = masks.data,
  };
  check_select_integers(call, &arguments, masks.sizes[0]);
  if (call->status) return;
  const int64_t sizes[] = {rows, top};
  arguments.token = output(call, 0, sizes, 1);
  arguments.log_prob = output(call, 1, sizes, 1);
  arguments.is_greedy = output(call, 2, sizes, 1);
  arguments.top_ids = output(call, 3, sizes, 2);
  arguments.top_log_probs = output(call, 4, sizes, 2);
  if (!call->status) active_kernels()->select_tokens(&arguments, &call->parallel);
}

/* (a [..., depth] or transposed [depth, rows], b [depth, columns] or transposed) -> y [..., columns] */
static void compute_product(Call *call) {
  int transpose_a = call->attributes[0] != 0, transpose_b = call->attributes[1] != 0;
  Tensor a = input(call, 0), b = input(call, 1);
  if (a.rank == 0 || b.rank != 2 || (transpose_a && a.rank != 2)) fail(call, "Product: an operand has not two axes");
  if (call->status) return;
  int64_t depth = b.sizes[transpose_b ? 1 : 0], columns = b.sizes[transpose_b ? 0 : 1];
  if ((transpose_a ? a.sizes[0] : width_of(&a)) != depth) return fail(call, "Product: operands differ in depth");
  Tensor y = a;
  if (transpose_a) y.sizes[0] = a.sizes[1];
  y.sizes[y.rank - 1] = columns;
  Product arguments = {
      .rows = 1,
      .depth = depth,
      .columns = columns,
      .transpose_a = transpose_a,
      .transpose_b = transpose_b,
      .a = a.data,
      .b = b.data,
      .y = output_like(call, 0, &y),
  };
  for (size_t axis = 0; axis + 1 < y.rank; axis++) arguments.rows *= y.sizes[axis];
  if (!call->status) active_kernels()->product(&arguments, &call->parallel);
}

static float scalar_of(Call *call, size_t index) {
  Tensor tensor = input(call, index);
  expect_elements(call, &tensor, 1, "AdamW: a rate is not a scalar");
  return call->status ? 0.0f : *(const float *)tensor.data;
}

static int flag_of(Call *call, size_t index) {
  Tensor tensor = input(call, index);
  expect_elements(call, &tensor, 1, "flacuna operator: a condition is not a scalar");
  return call->status ? 0 : *(const uint8_t *)tensor.data;
}

/* (g, mean, variance, parameter, scale [], step [], inverse deviation [], decay [], is good [])
   -> mean, variance and parameter anew */
static void compute_adamw(Call *call) {
  Tensor g = input(call, 0), mean = input(call, 1), variance = input(call, 2), parameter = input(call, 3);
  expect_elements(call, &g, elements_of(&parameter), "AdamW: the gradient is not the parameter's shape");
  expect_elements(call, &mean, elements_of(&parameter), "AdamW: the mean is not the parameter's shape");
  expect_elements(call, &variance, elements_of(&parameter), "AdamW: the variance is of another shape");
  AdamW arguments = {
      .count = elements_of(&parameter),
      .beta1 = call->factors[0],
      .complement1 = call->factors[1],
      .beta2 = call->factors[2],
      .complement2 = call->factors[3],
      .epsilon = call->factors[4],
      .scale = scalar_of(call, 4),
      .step = scalar_of(call, 5),
      .inverse_deviation = scalar_of(call, 6),
      .decay = scalar_of(call, 7),
      .is_good = flag_of(call, 8),
      .g = g.data,
      .mean = mean.data,
      .variance = variance.data,
      .parameter = parameter.data,
  };
  if (call->status) return;
  arguments.new_mean = output_like(call, 0, &mean);
  arguments.new_variance = output_like(call, 1, &variance);
  arguments.new_parameter = output_like(call, 2, &parameter);
  if (!call->status) active_kernels()->adamw(&arguments, &call->parallel);
}

/* (sum, part, is first []) -> sum + part / divisor, or part / divisor */
static void compute_accumulate(Call *call) {
  Tensor sum = input(call, 0), part = input(call, 1);
  expect_elements(call, &part, elements_of(&sum), "Accumulate: the part is not the sum's shape");
  Accumulate arguments = {
      .count = elements_of(&sum),
      .divisor = call->factors[0],
      .is_first = flag_of(call, 2),
      .sum = sum.data,
      .part = part.data,
  };
  if (call->status) return;
  arguments.total = output_like(call, 0, &sum);
  if (!call->status) active_kernels()->accumulate(&arguments, &call->parallel);
}

/* (x) -> the sum of its squares, [] */
static void compute_sum_of_squares(Call *call) {
  Tensor x = input(call, 0);
  SumOfSquares arguments = {.count = elements_of(&x), .x = x.data, .total = output(call, 0, NULL, 0)};
  if (!call->status) active_kernels()->sum_of_squares(&arguments, &call->parallel);
}

/* The sizes of both products of rows with a thin factor; attribute 0 says that it is [wide, thin]. */
static ThinProduct read_thin(Call *call, int is_expand, Tensor *x) {
  *x = input(call, 0);
  Tensor factor = input(call, 1);
  int is_transposed = call->attributes[0] != 0;
  if (factor.rank != 2) fail(call, "thin product: the factor has two axes");
  int64_t wide = factor.sizes[is_transposed ? 0 : 1], thin = factor.sizes[is_transposed ? 1 : 0];
  if (width_of(x) != (is_expand ? thin : wide)) fail(call, "thin product: rows of another width");
  return (ThinProduct){rows_of(x), wide, thin, is_transposed, x->data, factor.data, NULL};
}

/* (x [..., wide], factor) -> y [..., thin] */
static void compute_thin_reduce(Call *call) {
  Tensor x;
  ThinProduct arguments = read_thin(call, 0, &x);
  if (call->status) return;
  arguments.y = output_of_width(call, 0, &x, arguments.thin);
  if (!call->status) active_kernels()->thin_reduce(&arguments, &call->parallel);
}

/* (x [..., thin], factor) -> y [..., wide] */
static void compute_thin_expand(Call *call) {
  Tensor x;
  ThinProduct arguments = read_thin(call, 1, &x);
  if (call->status) return;
  arguments.y = output_of_width(call, 0, &x, arguments.wide);
  if (!call->status) active_kernels()->thin_expand(&arguments, &call->parallel);
}

/* (x [M, thin], wide x [M, wide]) -> x^T times it [thin, wide]; [wide, thin] when attribute 0 says so */
static void compute_thin_outer(Call *call) {
  Tensor x = input(call, 0), wide_x = input(call, 1);
  int is_transposed = call->attributes[0] != 0;
  if (x.rank != 2 || wide_x.rank != 2) fail(call, "ThinOuter: operands have two axes");
  if (x.sizes[0] != wide_x.sizes[0]) fail(call, "ThinOuter: operands differ in rows");
  if (call->status) return;
  int64_t thin = x.sizes[1], wide = wide_x.sizes[1];
  int64_t sizes[] = {is_transposed ? wide : thin, is_transposed ? thin : wide};
  float *y = output(call, 0, sizes, 2);
  ThinOuter arguments = {wide_x.sizes[0], wide, thin, is_transposed, x.data, wide_x.data, y};
  if (!call->status) active_kernels()->thin_outer(&arguments, &call->parallel);
}

/* ---- the table ----------------------------------------------------------------------------------------- */

typedef struct {
  const char *name;
  void (*compute)(Call *call);
  int input_types[MAX_INPUTS]; /* up to the first 0 */
  int optional_inputs;         /* how many of the last */
  int output_types[MAX_OUTPUTS];
  const char *attributes[MAX_ATTRIBUTES]; /* int64 */
  const char *factors[MAX_ATTRIBUTES];    /* float */
} Operator;

#define F32 TYPE_FLOAT32
#define U8 TYPE_UINT8
#define I8 TYPE_INT8
#define I16 TYPE_INT16
#define I32 TYPE_INT32
#define I64 TYPE_INT64
#define BOOL TYPE_BOOL
#define F16 TYPE_FLOAT16
#define BF16 TYPE_BFLOAT16
#define SIZES {"in", "out"}
#define INT8_PARTS I8, F32
#define INT8_SUMMED_PARTS I8, F32, I32
#define INT4_PARTS U8, F16, F16
#define MOMENTS {"beta1", "complement1", "beta2", "complement2", "epsilon"}

static const Operator operators[] = {
    {"QuantizeRows", compute_quantize_rows, {F32, F32}, 1, {U8, F32}, {0}, {0}},
    {"Int8Rows", compute_int8_rows, {I64, I8, F32}, 0, {F32}, SIZES, {0}},
    {"Int8Linear", compute_int8_linear, {U8, F32, I8, F32, I32, F32}, 1, {F32}, SIZES, {0}},
    {"Int8LinearTransposed", compute_int8_linear_transposed, {U8, F32, I8, I32, F32}, 1,
     {F32}, SIZES, {0}},
    {"Bfloat16Linear", compute_bfloat16_linear, {F32, BF16, F32}, 1, {F32}, SIZES, {0}},
    {"Bfloat16LinearTransposed", compute_bfloat16_linear_transposed, {F32, BF16, F32}, 1,
     {F32}, SIZES, {0}},
    {"Int16Linear", compute_int16_linear, {F32, I16, F32, F32}, 1, {F32}, SIZES, {0}},
    {"Int16LinearTransposed", compute_int16_linear_transposed, {F32, I16, F32, F32}, 1,
     {F32}, SIZES, {0}},
    {"Int4Linear", compute_int4_linear, {F32, U8, F16, F16, F32}, 1, {F32}, SIZES, {0}},
    {"Int4LinearTransposed", compute_int4_linear_transposed, {F32, U8, F16, F16, F32}, 1,
     {F32}, SIZES, {0}},
    {"Int8BlockLinear", compute_int8_block_linear, {F32, INT8_PARTS, F32, F32}, 2,
     {F32}, {"prologue", "bytes", "in", "out"}, {"epsilon"}},
    {"Int8BlockLinear2", compute_int8_block_linear2, {F32, INT8_PARTS, INT8_PARTS, F32}, 1,
     {F32, F32}, {"prologue", "bytes", "in", "out", "out2"}, {"epsilon"}},
    {"Int8BlockLinear3", compute_int8_block_linear3, {F32, INT8_PARTS, INT8_PARTS, INT8_PARTS, F32}, 1,
     {F32, F32, F32}, {"prologue", "bytes", "in", "out", "out2", "out3"}, {"epsilon"}},
    {"Int8FeedForward", compute_int8_feed_forward, {U8, F32, INT8_SUMMED_PARTS, INT8_SUMMED_PARTS, INT8_PARTS, F32}, 1,
     {F32, BF16, BF16}, {"in", "out", "hadamard"}, {0}},
    {"Int4BlockLinear", compute_int4_block_linear, {F32, INT4_PARTS, F32, F32}, 2,
     {F32}, {"prologue", "bytes", "in", "out"}, {"epsilon"}},
    {"Int4BlockLinear2", compute_int4_block_linear2, {F32, INT4_PARTS, INT4_PARTS, F32}, 1,
     {F32, F32}, {"prologue", "bytes", "in", "out", "out2"}, {"epsilon"}},
    {"Int4BlockLinear3", compute_int4_block_linear3, {F32, INT4_PARTS, INT4_PARTS, INT4_PARTS, F32}, 1,
     {F32, F32, F32}, {"prologue", "bytes", "in", "out", "out2", "out3"}, {"epsilon"}},
    {"Attention", compute_attention, {F32, F32, F32, F32, F32, I32}, 0,
     {F32, F32}, {"head_size", "allow_bfloat16"}, {0}},
    {"AttentionGrad", compute_attention_grad, {F32, F32, F32, F32, F32, F32, I32, F32, F32}, 0,
     {F32, F32, F32}, {"head_size", "allow_bfloat16"}, {0}},
    {"PagedAttention", compute_paged_attention, {F32, F32, F32, F32, F32, I32, I32, I32, F32, F32}, 0,
     {F32, F32, F32}, {0}, {0}},
    {"PagedAttentionInt16", compute_paged_attention_int16,
     {F32, F32, F32, I16, I16, F32, I32, I32, I32, F32, F32}, 0, {F32, I16, I16, F32}, {0}, {0}},
    {"RmsNormQuantize", compute_rms_norm_quantize, {F32, F32}, 0, {F32, F32, U8, F32}, {0}, {"epsilon"}},
    {"RmsNormGrad", compute_rms_norm_grad, {F32, F32, F32, F32, F32}, 1, {F32}, {0}, {0}},
    {"Swiglu", compute_swiglu, {F32, F32}, 0, {F32}, {"hadamard"}, {0}},
    {"SwigluQuantize", compute_swiglu_quantize, {F32, F32}, 0, {U8, F32}, {"hadamard"}, {0}},
    {"SwigluGradQuantize", compute_swiglu_grad_quantize, {F32, F32, F32, F32, F32}, 0,
     {U8, F32, U8, F32}, {"hadamard"}, {0}},
    {"SwigluGradQuantizeKept", compute_swiglu_grad_quantize_kept, {F32, BF16, BF16, F32, F32}, 0,
     {U8, F32, U8, F32}, {"hadamard"}, {0}},
    {"SwigluGrad", compute_swiglu_grad, {F32, F32, F32}, 0, {F32, F32}, {"hadamard"}, {0}},
    {"Hadamard", compute_hadamard, {F32}, 0, {F32}, {0}, {0}},
    {"RoundToBfloat16", compute_round_to_bfloat16, {F32}, 0, {BF16}, {0}, {0}},
    {"WidenBfloat16", compute_widen_bfloat16, {BF16}, 0, {F32}, {0}, {0}},
    {"CrossEntropy", compute_cross_entropy, {F32, I64}, 0, {F32, F32}, {0}, {0}},
    {"CrossEntropyGrad", compute_cross_entropy_grad, {F32, F32, I64, F32}, 0, {F32}, {0}, {0}},
    {"SelectTokens", compute_select_tokens, {F32, F32, I32, I32, F32, I32}, 0,
     {I32, F32, I32, I32, F32}, {"top"}, {0}},
    {"Product", compute_product, {F32, F32}, 0, {F32}, {"transpose_a", "transpose_b"}, {0}},
    {"AdamW", compute_adamw, {F32, F32, F32, F32, F32, F32, F32, F32, BOOL}, 0,
     {F32, F32, F32}, {0}, MOMENTS},
    {"Accumulate", compute_accumulate, {F32, F32, BOOL}, 0, {F32}, {0}, {"divisor"}},
    {"SumOfSquares", compute_sum_of_squares, {F32}, 0, {F32}, {0}, {0}},
    {"ThinReduce", compute_thin_reduce, {F32, F32}, 0, {F32}, {"transposed"}, {0}},
    {"ThinExpand", compute_thin_expand, {F32, F32}, 0, {F32}, {"transposed"}, {0}},
    {"ThinOuter", compute_thin_outer, {F32, F32}, 0, {F32}, {"transposed"}, {0}},
};
#define OPERATOR_COUNT (sizeof operators / sizeof *operators)

/* ---- what the runtime calls ---------------------------------------------------------------------------- */

/* An operator in a domain. */
typedef struct {
  CustomOperator base; /* first: the runtime hands its address back */
  const Operator *operator;
  size_t threads; /* as in Call */
} Entry;

typedef struct {
  const Operator *operator;
  size_t threads;
  int64_t attributes[MAX_ATTRIBUTES];
  float factors[MAX_ATTRIBUTES];
  Tensor constants[MAX_INPUTS];
  /* What the kernel after this one reads first. Hints: they may be another session's, and no longer there. */
  const void *_Atomic next;
  _Atomic size_t next_bytes;
} Kernel;

static const Operator *operator_of(const CustomOperator *self) { return ((const Entry *)self)->operator; }
static const char *get_name(const CustomOperator *self) { return operator_of(self)->name; }
static const char *get_provider(const CustomOperator *self) { return (void)self, "CPUExecutionProvider"; }
static size_t count_types(const int *types, size_t most) {
  size_t count = 0;
  while (count < most && types[count] != 0) count++;
  return count;
}
static size_t get_input_count(const CustomOperator *self) {
  return count_types(operator_of(self)->input_types, MAX_INPUTS);
}
static size_t get_output_count(const CustomOperator *self) {
  return count_types(operator_of(self)->output_types, MAX_OUTPUTS);
}
static int get_input_type(const CustomOperator *self, size_t index) {
  return operator_of(self)->input_types[index];
}
static int get_output_type(const CustomOperator *self, size_t index) {
  return operator_of(self)->output_types[index];
}
static int get_input_characteristic(const CustomOperator *self, size_t index) {
  int is_optional = index + (size_t)operator_of(self)->optional_inputs >= get_input_count(self);
  return is_optional ? CHARACTERISTIC_OPTIONAL : CHARACTERISTIC_REQUIRED;
}
static int get_output_characteristic(const CustomOperator *self, size_t index) {
  return (void)self, (void)index, CHARACTERISTIC_REQUIRED;
}
static int get_memory(const CustomOperator *self, size_t index) { return (void)self, (void)index, 0; }
static int get_one(const CustomOperator *self) { return (void)self, 1; }
static int get_newest(const CustomOperator *self) { return (void)self, INT_MAX; }

/* Inputs that are the same in every call are read once: that takes longer than some operators' work. */
static Status *read_constants(const KernelInfo *info, Kernel *kernel) {
  size_t count = count_types(kernel->operator->input_types, MAX_INPUTS);
  Status *status = NULL;
  for (size_t i = 0; status == NULL && i < count; i++) {
    const RuntimeValue *value = NULL;
    int is_constant = 0;
    status = CALL(API_GET_CONSTANT_INPUT, GetConstantInput)(info, i, &is_constant, &value);
    if (status == NULL && is_constant) kernel->constants[i] = read_value(value, &status);
  }
  return status;
}

/* ---- what is read next ---------------------------------------------------------------------------------- */

/* Fetching more takes longer than the threads wait for a job. */
#define MOST_AHEAD (1 << 18)
/* Smaller weights than this are not worth it. */
#define LEAST_AHEAD (1 << 16)

static pthread_mutex_t newest_mutex = PTHREAD_MUTEX_INITIALIZER;
static Kernel *newest; /* that has weights to read ahead */

static size_t bytes_of(const Tensor *tensor, int type) {
  int is_of_two = type == TYPE_FLOAT16 || type == TYPE_BFLOAT16 || type == TYPE_INT16;
  int width = type == TYPE_FLOAT32 ? 4 : is_of_two ? 2 : 1;
  return tensor->data == NULL ? 0 : elements_of(tensor) * width;
}

/* Kernels are made in the order in which they run: tells the one before where this one's largest weight is. */
static void announce(Kernel *kernel) {
  const int *types = kernel->operator->input_types;
  size_t most = 0, largest = 0;
  for (size_t i = 0; i < MAX_INPUTS; i++) {
    size_t bytes = bytes_of(&kernel->constants[i], types[i]);
    if (bytes > most) most = bytes, largest = i;
  }
  if (most < LEAST_AHEAD) return;
  pthread_mutex_lock(&newest_mutex);
  if (newest != NULL) {
    atomic_store(&newest->next, kernel->constants[largest].data);
    atomic_store(&newest->next_bytes, most < MOST_AHEAD ? most : MOST_AHEAD);
  }
  newest = kernel;
  pthread_mutex_unlock(&newest_mutex);
}

static void forget(const Kernel *kernel) {
  pthread_mutex_lock(&newest_mutex);
  if (newest == kernel) newest = NULL;
  pthread_mutex_unlock(&newest_mutex);
}

static Status *create_kernel(const CustomOperator *self, Api unused, const KernelInfo *info, void **result) {
  (void)unused;
  const Operator *operator = operator_of(self);
  Kernel *kernel = calloc(1, sizeof *kernel);
  if (kernel == NULL) return new_status(CODE_FAIL, "flacuna operator: out of memory");
  kernel->operator = operator;
  kernel->threads = ((const Entry *)self)->threads;
  Status *status = NULL;
  const char *const *names = operator->attributes;
  for (int i = 0; status == NULL && i < MAX_ATTRIBUTES && names[i]; i++) {
    int64_t *value = &kernel->attributes[i];
    status = CALL(API_GET_ATTRIBUTE_INT64, GetAttributeInt64)(info, names[i], value);
    if (status == NULL && (*value < 0 || *value > INT32_MAX))
      status = new_status(CODE_INVALID_ARGUMENT, "flacuna operator: a size is out of range");
  }
  names = operator->factors;
  for (int i = 0; status == NULL && i < MAX_ATTRIBUTES && names[i]; i++)
    status = CALL(API_GET_ATTRIBUTE_FLOAT, GetAttributeFloat)(info, names[i], &kernel->factors[i]);
  if (status == NULL) status = read_constants(info, kernel);
  if (status != NULL) {
    free(kernel);
    return status;
  }
  announce(kernel);
  *result = kernel;
  return status;
}

static Status *compute(void *self, Context *context) {
  Kernel *kernel = self;
  Call call = {context, kernel->attributes, kernel->factors, kernel->constants, .threads = kernel->threads};
  call.parallel = (Parallel){run_parallel, &call};
  keep(&call.status, CALL(API_GET_INPUT_COUNT, GetInputCount)(context, &call.input_count));
  kernel->operator->compute(&call);
  if (kernel->threads > 1 && kernel->next_bytes > 0) pool_read_ahead(kernel->next, kernel->next_bytes);
  return call.status;
}

static void destroy_kernel(void *kernel) {
  forget(kernel);
  free(kernel);
}

static CustomOperator custom_operator(void) {
  return (CustomOperator){
      .version = 18,
      .get_name = get_name,
      .get_provider = get_provider,
      .get_input_type = get_input_type,
      .get_input_count = get_input_count,
      .get_output_type = get_output_type,
      .get_output_count = get_output_count,
      .destroy_kernel = destroy_kernel,
      .get_input_characteristic = get_input_characteristic,
      .get_output_characteristic = get_output_characteristic,
      .get_input_memory = get_memory,
      .get_variadic_input_minimum = get_one,
      .get_variadic_input_homogeneity = get_one,
      .get_variadic_output_minimum = get_one,
      .get_variadic_output_homogeneity = get_one,
      .create_kernel_with_status = create_kernel,
      .compute_with_status = compute,
      .get_start_version = get_one,
      .get_end_version = get_newest,
  };
}

/* How many operators there are. */
size_t flacuna_operator_count(void) { return OPERATOR_COUNT; }

/* A new operator to add to a domain, which lives as long as the process and computes with `threads` threads of the pool, or
   with the runtime's for 0; null past the last, or without memory. Calls give one runtime's API. */
const void *flacuna_operator(const void *runtime_api, size_t index, size_t threads) {
  api = (Api)runtime_api;
  if (index >= OPERATOR_COUNT) return NULL;
  Entry *entry = malloc(sizeof *entry);
  if (entry == NULL) return NULL;
  *entry = (Entry){custom_operator(), &operators[index], threads};
  return &entry->base;
}

/* The few declarations of ONNX Runtime's C API that custom operators need. Functions are called by their position in
   `OrtApi`, which only ever grows at its end (onnxruntime/core/session/onnxruntime_c_api.h). */
#ifndef FLACUNA_RUNTIME_H
#define FLACUNA_RUNTIME_H
#include <stddef.h>
#include <stdint.h>

typedef struct Status Status;
typedef struct RuntimeValue RuntimeValue;
typedef struct ShapeInfo ShapeInfo;
typedef struct Context Context;
typedef struct KernelInfo KernelInfo;
typedef const void *const *Api;

enum {
  TYPE_FLOAT32 = 1, TYPE_UINT8 = 2, TYPE_INT8 = 3, TYPE_INT16 = 5, TYPE_INT32 = 6, TYPE_INT64 = 7, TYPE_BOOL = 9,
  TYPE_FLOAT16 = 10, TYPE_BFLOAT16 = 16
};
enum { CODE_FAIL = 1, CODE_INVALID_ARGUMENT = 2 };
enum { CHARACTERISTIC_REQUIRED = 0, CHARACTERISTIC_OPTIONAL = 1 };

enum {
  API_CREATE_STATUS = 0,
  API_GET_TENSOR_DATA = 51,
  API_GET_DIMENSIONS_COUNT = 61,
  API_GET_DIMENSIONS = 62,
  API_GET_SHAPE_INFO = 65,
  API_RELEASE_SHAPE_INFO = 99,
  API_GET_ATTRIBUTE_FLOAT = 85,
  API_GET_ATTRIBUTE_INT64 = 86,
  API_GET_INPUT_COUNT = 88,
  API_GET_INPUT = 90,
  API_GET_OUTPUT = 91,
  API_GET_CONSTANT_INPUT = 249,
  API_PARALLEL_FOR = 274,
};

typedef Status *(*CreateStatus)(int code, const char *message);
typedef Status *(*GetTensorData)(RuntimeValue *value, void **data);
typedef Status *(*GetShapeInfo)(const RuntimeValue *value, ShapeInfo **info);
typedef Status *(*GetDimensionsCount)(const ShapeInfo *info, size_t *count);
typedef Status *(*GetDimensions)(const ShapeInfo *info, int64_t *sizes, size_t count);
typedef void (*ReleaseShapeInfo)(ShapeInfo *info);
typedef Status *(*GetAttributeFloat)(const KernelInfo *info, const char *name, float *value);
typedef Status *(*GetAttributeInt64)(const KernelInfo *info, const char *name, int64_t *value);
typedef Status *(*GetInputCount)(const Context *context, size_t *count);
typedef Status *(*GetInput)(const Context *context, size_t index, const RuntimeValue **value);
typedef Status *(*GetOutput)(Context *context, size_t index, const int64_t *sizes, size_t rank, RuntimeValue **value);
typedef Status *(*GetConstantInput)(const KernelInfo *info, size_t index, int *is_constant, const RuntimeValue **value);
typedef Status *(*ParallelFor)(const Context *context, void (*task)(void *, size_t), size_t count, size_t batches,
                               void *argument);

/* `OrtCustomOp` of version 18, field by field. */
typedef struct CustomOperator CustomOperator;
struct CustomOperator {
  uint32_t version;
  void *(*create_kernel)(const CustomOperator *self, Api api, const KernelInfo *info);
  const char *(*get_name)(const CustomOperator *self);
  const char *(*get_provider)(const CustomOperator *self);
  int (*get_input_type)(const CustomOperator *self, size_t index);
  size_t (*get_input_count)(const CustomOperator *self);
  int (*get_output_type)(const CustomOperator *self, size_t index);
  size_t (*get_output_count)(const CustomOperator *self);
  void (*compute)(void *kernel, Context *context);
  void (*destroy_kernel)(void *kernel);
  int (*get_input_characteristic)(const CustomOperator *self, size_t index);
  int (*get_output_characteristic)(const CustomOperator *self, size_t index);
  int (*get_input_memory)(const CustomOperator *self, size_t index);
  int (*get_variadic_input_minimum)(const CustomOperator *self);
  int (*get_variadic_input_homogeneity)(const CustomOperator *self);
  int (*get_variadic_output_minimum)(const CustomOperator *self);
  int (*get_variadic_output_homogeneity)(const CustomOperator *self);
  Status *(*create_kernel_with_status)(const CustomOperator *self, Api api, const KernelInfo *info, void **kernel);
  Status *(*compute_with_status)(void *kernel, Context *context);
  void *infer_output_shape;
  int (*get_start_version)(const CustomOperator *self);
  int (*get_end_version)(const CustomOperator *self);
  size_t (*get_may_in_place)(int **inputs, int **outputs);
  void (*release_may_in_place)(int *inputs, int *outputs);
  size_t (*get_aliases)(int **inputs, int **outputs);
  void (*release_aliases)(int *inputs, int *outputs);
};

#endif

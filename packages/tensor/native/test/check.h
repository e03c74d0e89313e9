/* What the test programs share: random data, a serial and a two-thread Parallel, comparison, the paths of this CPU. */
#ifndef FLACUNA_CHECK_H
#define FLACUNA_CHECK_H
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../kernels.h"

static uint64_t check_state = 0x9e3779b97f4a7c15u;
static inline uint32_t random_bits(void) {
  check_state = check_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(check_state >> 32);
}
static inline float random_float(float scale) { return scale * ((float)random_bits() / 2147483648.0f - 1.0f); }
static inline int64_t random_between(int64_t low, int64_t high) { return low + random_bits() % (high - low + 1); }
/* Exactly as long as asked, so that the address sanitizer sees every step outside. */
static inline void *exact(size_t bytes) { return malloc(bytes ? bytes : 1); }
static inline float *random_floats(int64_t count, float scale) {
  float *x = exact(count * sizeof(float));
  for (int64_t i = 0; i < count; i++) x[i] = random_float(scale);
  return x;
}

static void serial_run(const Parallel *self, Task task, size_t count, void *argument) {
  (void)self;
  for (size_t i = 0; i < count; i++) task(argument, i);
}
static const Parallel SERIAL = {serial_run, NULL};

typedef struct {
  Task task;
  void *argument;
  size_t count;
  size_t *next;
} CheckShare;
static void *check_worker(void *value) {
  CheckShare *share = value;
  for (size_t i; (i = __atomic_fetch_add(share->next, 1, __ATOMIC_RELAXED)) < share->count;)
    share->task(share->argument, i);
  return NULL;
}
static void two_threads_run(const Parallel *self, Task task, size_t count, void *argument) {
  (void)self;
  size_t next = 0;
  CheckShare share = {task, argument, count, &next};
  pthread_t other;
  pthread_create(&other, NULL, check_worker, &share);
  check_worker(&share);
  pthread_join(other, NULL);
}
static const Parallel TWO_THREADS = {two_threads_run, NULL};

static inline double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}

/* Root of the summed squared differences over the root of the summed squares. */
static inline double relative_error(const float *got, const double *expected, int64_t count) {
  double difference = 0, size = 0;
  for (int64_t i = 0; i < count; i++) {
    difference += (got[i] - expected[i]) * (got[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return size > 0 ? sqrt(difference / size) : sqrt(difference);
}

/* The kernels this CPU can run: the test is linked with all of them. */
static inline int usable_kernels(const Kernels *usable[4]) {
  int count = 0;
  usable[count++] = &kernels_portable;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) usable[count++] = &kernels_avx2;
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")) {
    usable[count++] = &kernels_avx512;
#ifdef AMX_EMULATED
    if (__builtin_cpu_supports("avx512bf16")) usable[count++] = &kernels_amx;
#endif
  }
#endif
  return count;
}

/* Whether q and scale are those of quantize_rows, to the bit, and those of its definition, up to rounding; finite rows. */
static inline int quantised_as_defined(const Kernels *kernels, int64_t rows, int64_t width, const float *values,
                                       const uint8_t *q, const float *scale) {
  int64_t padded = round_up(width, DEPTH_STEP), wrong = 0;
  uint8_t *separate_q = exact(rows * padded);
  float *separate_scale = exact(rows * sizeof(float));
  QuantizeRows separate = {rows, width, values, NULL, separate_q, separate_scale};
  kernels->quantize_rows(&separate, &SERIAL);
  wrong += memcmp(q, separate_q, rows * padded) != 0 || memcmp(scale, separate_scale, rows * sizeof(float)) != 0;
  for (int64_t row = 0; row < rows; row++) {
    double largest = 0;
    for (int64_t i = 0; i < width; i++) largest = fmax(largest, fabs(values[row * width + i]));
    wrong += fabs(scale[row] - largest / 127) > 1e-6 * largest;
    for (int64_t i = 0; i < padded; i++) {
      double exactly = i < width && largest > 0 ? values[row * width + i] * 127 / largest : 0;
      wrong += fabs(q[row * padded + i] - ZERO_POINT - exactly) > 0.5001;
    }
  }
  free(separate_q), free(separate_scale);
  return wrong == 0;
}

/* Room for rows of `width` in blocks, exactly as much as they take. */
static inline BlockRows exact_blocks(int64_t rows, int64_t width, int64_t block, int64_t bytes) {
  int64_t q_bytes = rows * bytes * round_up(width, DEPTH_STEP), blocks = q_bytes / block;
  BlockRows to = {.block = block, .bytes = bytes, .q = exact(q_bytes), .scale = exact(blocks * sizeof(float))};
  if (block == 64) to.start = exact(blocks * sizeof(int32_t));
  else to.shift = exact(blocks * sizeof(float)), to.offset = exact(blocks * sizeof(float));
  return to;
}
static inline void free_blocks(BlockRows blocks) {
  free(blocks.q), free(blocks.scale), free(blocks.start), free(blocks.shift), free(blocks.offset);
}

/* Whether `got` is what quantize_blocks makes of the values, to the bit. */
static inline int blocks_as_separate(const Kernels *kernels, int64_t rows, int64_t width, const float *values,
                                     BlockRows got) {
  int64_t q_bytes = rows * got.bytes * round_up(width, DEPTH_STEP), blocks = q_bytes / got.block;
  QuantizeBlocks separate = {rows, width, values, exact_blocks(rows, width, got.block, got.bytes)};
  kernels->quantize_blocks(&separate, &SERIAL);
  int wrong = memcmp(got.q, separate.to.q, q_bytes) != 0;
  wrong += memcmp(got.scale, separate.to.scale, blocks * sizeof(float)) != 0;
  if (got.block == 64) wrong += memcmp(got.start, separate.to.start, blocks * sizeof(int32_t)) != 0;
  else
    wrong += memcmp(got.shift, separate.to.shift, blocks * sizeof(float)) != 0 ||
             memcmp(got.offset, separate.to.offset, blocks * sizeof(float)) != 0;
  free_blocks(separate.to);
  return wrong == 0;
}

static int check_failures = 0, check_count = 0;
#define CHECK(condition, ...)       \
  do {                              \
    check_count++;                  \
    if (!(condition)) {             \
      check_failures++;             \
      fprintf(stderr, __VA_ARGS__); \
      fputc('\n', stderr);          \
    }                               \
  } while (0)
static inline int check_report(const char *family) {
  printf("%s: %d checks, %d failures\n", family, check_count, check_failures);
  return check_failures > 0;
}

#endif

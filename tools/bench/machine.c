// What this machine can do at most: products in int8, bfloat16 and float32 from registers, and reading from memory.
// Prints one JSON object; a kind of product that the processor lacks is null. cc -O3 -march=native -pthread machine.c
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__AMX_TILE__)
#include <sys/syscall.h>
#endif

enum { TRIES = 4, CHAINS = 12, BLOCK = 20000, STREAM_BYTES = 256 << 20 };

// How long one try takes, in seconds.
static const double DURATION = 0.15;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

// What keeps a compiler from leaving a computation out.
static volatile float float_sink;
static volatile int32_t int_sink;

// Each returns how many operations (or bytes) one call did. All loops over chains are unrolled: an array that is indexed
// by a variable anywhere would stay in memory everywhere.
typedef double (*Work)(const char *memory);

// A vector as wide as the machine's: 16 floats where there is AVX-512, else 8 (which becomes two of NEON's or SSE's).
#if defined(__AVX512F__)
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif
typedef float Vector __attribute__((vector_size(LANES * 4)));

static double float32_work(const char *memory) {
  (void)memory;
  Vector sums[CHAINS], factor, term;
  for (int lane = 0; lane < LANES; lane++) {
    factor[lane] = 0.999f;
    term[lane] = 0.001f;
  }
  for (int chain = 0; chain < CHAINS; chain++) sums[chain] = term * (float)chain;
  for (int step = 0; step < BLOCK; step++) {
#pragma GCC unroll 12
    for (int chain = 0; chain < CHAINS; chain++) {
      sums[chain] = sums[chain] * factor + term;
    }
  }
#pragma GCC unroll 12
  for (int chain = 0; chain < CHAINS; chain++) float_sink += sums[chain][0];
  return 2.0 * BLOCK * CHAINS * LANES;
}

#if defined(__AVX512VNNI__)
static double int8_vector_work(const char *memory) {
  (void)memory;
  __m512i sums[CHAINS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-5);
#pragma GCC unroll 12
  for (int chain = 0; chain < CHAINS; chain++) sums[chain] = _mm512_set1_epi32(chain);
  for (int step = 0; step < BLOCK; step++) {
#pragma GCC unroll 12
    for (int chain = 0; chain < CHAINS; chain++) {
      // Not the intrinsic: gcc 12 then copies the sums from register to register, which costs half of the rate.
      __asm__("vpdpbusd %2, %1, %0" : "+v"(sums[chain]) : "v"(a), "v"(b));
    }
  }
#pragma GCC unroll 12
  for (int chain = 0; chain < CHAINS; chain++) int_sink += _mm512_reduce_add_epi32(sums[chain]);
  return 2.0 * BLOCK * CHAINS * 64;
}
#elif defined(__AVX2__)
static double int8_vector_work(const char *memory) {
  (void)memory;
  __m256i sums[CHAINS], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(-5), ones = _mm256_set1_epi16(1);
#pragma GCC unroll 12
  for (int chain = 0; chain < CHAINS; chain++) sums[chain] = _mm256_set1_epi32(chain);
  for (int step = 0; step < BLOCK; step++) {
#pragma GCC unroll 12
    for (int chain = 0; chain < CHAINS; chain++) {
      __asm__("" : "+x"(a));
      __m256i pairs = _mm256_maddubs_epi16(a, b);
      sums[chain] = _mm256_add_epi32(sums[chain], _mm256_madd_epi16(pairs, ones));
    }
  }
#pragma GCC unroll 12
  for (int chain = 0; chain < CHAINS; chain++) int_sink += _mm256_extract_epi32(sums[chain], 0);
  return 2.0 * BLOCK * CHAINS * 32;
}
#endif

#if defined(__AVX512BF16__)
static double bfloat16_vector_work(const char *memory) {
  (void)memory;
  __m512 sums[CHAINS];
  __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.01f), _mm512_set1_ps(0.02f));
  __m512bh b = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(-0.5f));
#pragma GCC unroll 12
  for (int chain = 0; chain < CHAINS; chain++) sums[chain] = _mm512_set1_ps(chain);
  for (int step = 0; step < BLOCK; step++) {
#pragma GCC unroll 12
    for (int chain = 0; chain < CHAINS; chain++) {
      sums[chain] = _mm512_dpbf16_ps(sums[chain], a, b);
      __asm__("" : "+v"(sums[chain]));
    }
  }
#pragma GCC unroll 12
  for (int chain = 0; chain < CHAINS; chain++) float_sink += _mm512_reduce_add_ps(sums[chain]);
  return 2.0 * BLOCK * CHAINS * 32;
}
#endif

#if defined(__AMX_INT8__) && defined(__AMX_BF16__)
#define HAS_TILES 1
struct TileConfig {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} __attribute__((aligned(64)));

static int ask_for_tiles(void) { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

static void configure_tiles(void) {
  struct TileConfig config;
  memset(&config, 0, sizeof config);
  config.palette = 1;
  for (int tile = 0; tile < 8; tile++) {
    config.row_bytes[tile] = 64;
    config.rows[tile] = 16;
  }
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
}

static double int8_tile_work(const char *memory) {
  (void)memory;
  configure_tiles();
  for (int step = 0; step < BLOCK / 8; step++) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
  return 2.0 * (BLOCK / 8) * 4 * 16 * 16 * 64;
}

static double bfloat16_tile_work(const char *memory) {
  (void)memory;
  configure_tiles();
  for (int step = 0; step < BLOCK / 8; step++) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return 2.0 * (BLOCK / 8) * 4 * 16 * 16 * 32;
}
#endif

// One pass over this thread's share of memory, far larger than its caches.
static double read_work(const char *memory) {
  typedef int64_t Words __attribute__((vector_size(64)));
  const Words *words = (const Words *)memory;
  Words sums[4] = {{0}};
  for (size_t i = 0; i < STREAM_BYTES / sizeof(Words); i += 4) {
    for (int chain = 0; chain < 4; chain++) sums[chain] += words[i + chain];
  }
  for (int chain = 0; chain < 4; chain++) int_sink += (int32_t)sums[chain][0];
  return STREAM_BYTES;
}

struct Task {
  Work work;
  pthread_barrier_t *barrier;
  double done, seconds;
};

static void *run_task(void *argument) {
  struct Task *task = argument;
  char *memory = NULL;
  if (task->work == read_work) {
    if (posix_memalign((void **)&memory, 4096, STREAM_BYTES) != 0) return NULL;
    memset(memory, 1, STREAM_BYTES);
  }
  task->work(memory);
  pthread_barrier_wait(task->barrier);
  double start = now();
  do {
    task->done += task->work(memory);
    task->seconds = now() - start;
  } while (task->seconds < DURATION);
  free(memory);
  return NULL;
}

// Operations (or bytes) per second of all threads together, in thousand millions.
static double rate(Work work, int threads) {
  struct Task tasks[threads];
  pthread_t handles[threads];
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, NULL, threads);
  for (int i = 0; i < threads; i++) {
    tasks[i] = (struct Task){work, &barrier, 0, 0};
    pthread_create(&handles[i], NULL, run_task, &tasks[i]);
  }
  double total = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(handles[i], NULL);
    total += tasks[i].done / tasks[i].seconds;
  }
  return total / 1e9;
}

// The best of a few tries: other processes only ever take away.
static void print_rate(const char *name, Work work, int threads) {
  double best = 0;
  for (int i = 0; work != NULL && i < TRIES; i++) {
    double each = rate(work, threads);
    if (each > best) best = each;
  }
  if (work == NULL) printf("\"%s\": null, ", name);
  else printf("\"%s\": %.1f, ", name, best);
}

// machine THREADS
int main(int count, char **arguments) {
  int threads = count > 1 ? atoi(arguments[1]) : (int)sysconf(_SC_NPROCESSORS_ONLN);
  if (threads < 1) return 2;
  Work int8 = NULL, bfloat16 = NULL;
  const char *unit = "vectors";
#if defined(__AVX512VNNI__) || defined(__AVX2__)
  int8 = int8_vector_work;
#endif
#if defined(__AVX512BF16__)
  bfloat16 = bfloat16_vector_work;
#endif
#if defined(HAS_TILES)
  if (ask_for_tiles()) {
    int8 = int8_tile_work;
    bfloat16 = bfloat16_tile_work;
    unit = "tiles";
  }
#endif
  printf("{");
  print_rate("int8", int8, threads);
  print_rate("bfloat16", bfloat16, threads);
  print_rate("float32", float32_work, threads);
  print_rate("readBytes", read_work, threads);
  printf("\"threads\": %d, \"unit\": \"%s\"}\n", threads, unit);
  return 0;
}

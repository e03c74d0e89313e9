/* Which of the compiled paths runs: asks the CPU and the operating system, best path first. */
#include "paths.h"
#include <stdatomic.h>
#include <string.h>

static int always(void) { return 1; }

/* A build leaves out paths that its compiler is too old for: WITHOUT_AVX2, WITHOUT_AVX512, WITHOUT_AMX. */
#if !defined(__x86_64__)
#define WITHOUT_AVX2
#define WITHOUT_AVX512
#define WITHOUT_AMX
#else
#include <cpuid.h>
#endif

#ifndef WITHOUT_AVX2
static int has_avx2(void) {
  unsigned eax, ebx, ecx, edx;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & 1u << 29) != 0; /* f16c */
}
#endif

#ifndef WITHOUT_AVX512
static int has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}
#endif

#ifndef WITHOUT_AMX
#ifdef AMX_EMULATED
static int has_amx(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
#elif defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA 18
/* The processor has tiles of bytes and bfloat16, and the kernel lets this process use them. */
static int has_amx(void) {
  unsigned eax, ebx, ecx, edx;
  if (!has_avx512() || !__builtin_cpu_supports("avx512bf16")) return 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return 0;
  unsigned needed = 1u << 22 | 1u << 24 | 1u << 25; /* amx-bf16, amx-tile, amx-int8 */
  return (edx & needed) == needed && syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#else
static int has_amx(void) { return 0; }
#endif
#endif

static const struct {
  const Kernels *kernels;
  int (*is_usable)(void);
} candidates[] = {
#ifndef WITHOUT_AMX
    {&kernels_amx, has_amx},
#endif
#ifndef WITHOUT_AVX512
    {&kernels_avx512, has_avx512},
#endif
#ifndef WITHOUT_AVX2
    {&kernels_avx2, has_avx2},
#endif
    {&kernels_portable, always},
};
#define CANDIDATES (sizeof candidates / sizeof *candidates)

static _Atomic(const Kernels *) chosen;

/* The name of the `index`-th usable path, best first; null past the last. */
const char *flacuna_path(size_t index) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  for (size_t i = 0; i < CANDIDATES; i++)
    if (candidates[i].is_usable() && index-- == 0) return candidates[i].kernels->path;
  return NULL;
}

/* Makes the named path the one that runs from now on; 0 when this CPU cannot. */
int flacuna_use_path(const char *path) {
  for (size_t i = 0; i < CANDIDATES; i++) {
    if (strcmp(candidates[i].kernels->path, path) != 0 || !candidates[i].is_usable()) continue;
    atomic_store(&chosen, candidates[i].kernels);
    return 1;
  }
  return 0;
}

const Kernels *active_kernels(void) {
  const Kernels *kernels = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (kernels == NULL) {
    flacuna_use_path(flacuna_path(0));
    kernels = atomic_load(&chosen);
  }
  return kernels;
}

/* Working memory of a thread; see scratch.h. */
#include "scratch.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
  void *memory[SCRATCH_SLOTS];
  size_t bytes[SCRATCH_SLOTS];
} Buffers;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local Buffers *buffers;

static void release(void *value) {
  Buffers *all = value;
  for (int slot = 0; slot < SCRATCH_SLOTS; slot++) free(all->memory[slot]);
  free(all);
}

static void create_key(void) { pthread_key_create(&key, release); }

static void *checked(void *memory, size_t bytes) {
  if (memory != NULL) return memory;
  fprintf(stderr, "flacuna kernels: out of memory (%zu bytes)\n", bytes);
  abort();
}

void *scratch(int slot, size_t bytes) {
  if (buffers == NULL) {
    pthread_once(&once, create_key);
    buffers = checked(calloc(1, sizeof(Buffers)), sizeof(Buffers));
    pthread_setspecific(key, buffers);
  }
  if (buffers->bytes[slot] < bytes) {
    size_t rounded = (bytes + bytes / 4 + 4095) / 4096 * 4096;
    free(buffers->memory[slot]);
    buffers->memory[slot] = checked(aligned_alloc(64, rounded), rounded);
    buffers->bytes[slot] = rounded;
  }
  return buffers->memory[slot];
}

/* How a kernel spreads its work: the caller brings the threads. */
#ifndef FLACUNA_PARALLEL_H
#define FLACUNA_PARALLEL_H
#include <stddef.h>

/* One piece of work: `index` counts from 0. Pieces run in any order, on any thread. */
typedef void (*Task)(void *argument, size_t index);

/* Runs `count` pieces and returns when all are done. */
typedef struct Parallel {
  void (*run)(const struct Parallel *self, Task task, size_t count, void *argument);
  void *context;
} Parallel;

static inline void parallel_for(const Parallel *parallel, Task task, size_t count, void *argument) {
  if (count == 1) task(argument, 0);
  else if (count > 1) parallel->run(parallel, task, count, argument);
}

#endif

/* Threads of the process for the pieces of one job at a time. */
#ifndef FLACUNA_POOL_H
#define FLACUNA_POOL_H
#include "parallel.h"

/* Runs `count` pieces on the caller and up to `threads` - 1 others; returns 0 at once, with nothing done, while the
   threads have another job. */
int pool_run(size_t threads, Task task, size_t count, void *argument);

/* What is likely to be read next: the threads fetch it into their caches while they wait for a job. It may be gone. */
void pool_read_ahead(const void *from, size_t bytes);

#endif

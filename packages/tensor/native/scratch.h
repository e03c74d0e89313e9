/* Working memory of a thread: grows on demand, is kept for the next call, and is never shared. */
#ifndef FLACUNA_SCRATCH_H
#define FLACUNA_SCRATCH_H
#include <stddef.h>

#define SCRATCH_SLOTS 8

/* At least `bytes` bytes, aligned to 64; what the same thread got before for the same slot is no longer valid.
   Aborts when there is no memory: a kernel cannot go on, and the runtime would not either. */
void *scratch(int slot, size_t bytes);

#endif

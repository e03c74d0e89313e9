/* Which of the compiled paths runs. */
#ifndef FLACUNA_PATHS_H
#define FLACUNA_PATHS_H
#include "kernels.h"

/* The kernels of the path in use: the best this CPU has, or the one last chosen. */
const Kernels *active_kernels(void);

#endif

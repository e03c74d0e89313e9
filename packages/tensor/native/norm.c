/* placeholder */
#include "kernels.h"
static void rms_norm(const RmsNorm *p, const Parallel *parallel) { (void)p; (void)parallel; }
static void rms_norm_grad(const RmsNormGrad *p, const Parallel *parallel) { (void)p; (void)parallel; }

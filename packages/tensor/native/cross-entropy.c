/* placeholder */
#include "kernels.h"
static void cross_entropy(const CrossEntropy *p, const Parallel *parallel) { (void)p; (void)parallel; }
static void cross_entropy_grad(const CrossEntropyGrad *p, const Parallel *parallel) { (void)p; (void)parallel; }

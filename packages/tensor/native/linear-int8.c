/* placeholder */
#include "kernels.h"
static void int8_forward(const Int8Product *p, const Parallel *parallel) { (void)p; (void)parallel; }
static void int8_backward(const Int8Product *p, const Parallel *parallel) { (void)p; (void)parallel; }

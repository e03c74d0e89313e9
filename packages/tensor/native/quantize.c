/* placeholder */
#include "kernels.h"
static void quantize_rows(const QuantizeRows *p, const Parallel *parallel) { (void)p; (void)parallel; }

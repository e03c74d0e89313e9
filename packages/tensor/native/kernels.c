/* All families compiled for one path: the build compiles this file once per path, with KERNEL_PATH and the flags. */
#include "kernels.h"
#include "adamw.c"
#include "attention.c"
#include "attention-pages.c"
#include "bfloat16.c"
#include "cross-entropy.c"
#include "int8-rows.c"
#include "linear-int8.c"
#include "linear-blocks.c" /* after linear-int8.c, whose panels it walks */
#include "linear-panels.c"
#include "norm.c"
#include "product.c"
#include "quantize-blocks.c"
#include "quantize.c"
#include "select.c"
#include "swiglu.c"
#include "int8-swiglu.c" /* after both of its parts */
#include "thin.c"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

const Kernels JOIN(kernels_, KERNEL_PATH) = {
    .path = TEXT(KERNEL_PATH),
    .quantize_rows = quantize_rows,
    .int8_rows = int8_rows,
    .round_to_bfloat16 = round_to_bfloat16,
    .widen_bfloat16 = widen_bfloat16,
    .quantize_blocks = quantize_blocks,
    .int8_forward = int8_forward,
    .int8_backward = int8_backward,
    .panel_forward = panel_forward,
    .panel_backward = panel_backward,
    .block_product = block_product,
    .attention_forward = attention_forward,
    .attention_backward = attention_backward,
    .paged_attention = paged_attention,
    .rms_norm = rms_norm,
    .rms_norm_grad = rms_norm_grad,
    .swiglu = swiglu,
    .int8_swiglu = int8_swiglu,
    .swiglu_grad = swiglu_grad,
    .hadamard = hadamard,
    .cross_entropy = cross_entropy,
    .cross_entropy_grad = cross_entropy_grad,
    .select_tokens = select_tokens,
    .thin_reduce = thin_reduce,
    .thin_expand = thin_expand,
    .thin_outer = thin_outer,
    .product = product,
    .adamw = adamw,
    .accumulate = accumulate,
    .sum_of_squares = sum_of_squares,
};

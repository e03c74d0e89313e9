#!/usr/bin/env bash
# Compiles and runs the kernels' test programs under the address and undefined-behaviour sanitizers:
#   bash native/test/run.sh [family [arguments]]
# SANITIZE=0 leaves the sanitizers out, for timing. Matrix tiles are emulated, so that their code runs on any CPU.
set -euo pipefail
cd "$(dirname "$0")/.."
cc="${CC:-cc}"
if ! command -v "${cc%% *}" >/dev/null; then
  echo "skipped: no C compiler"
  exit 0
fi
out="${OUT:-}"
if [[ -z "$out" ]]; then
  out="$(mktemp -d)"
  trap 'rm -rf "$out"' EXIT
fi
sanitize=(-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all)
[[ "${SANITIZE:-1}" == 1 ]] || sanitize=(-O3)
common=(-std=gnu11 -Wall -Wextra -Werror -pthread "${sanitize[@]}")
avx512=(-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mfma -mf16c)

objects=("$out/kernels-portable.o")
"$cc" "${common[@]}" -c -DKERNEL_PATH=portable kernels.c -o "$out/kernels-portable.o" &
pids=($!)
if [[ "$(uname -m)" == x86_64 ]]; then
  "$cc" "${common[@]}" -c -DKERNEL_PATH=avx2 -DPATH_AVX2 -mavx2 -mfma -mf16c kernels.c -o "$out/kernels-avx2.o" &
  pids+=($!)
  "$cc" "${common[@]}" -c -DKERNEL_PATH=avx512 -DPATH_AVX512 "${avx512[@]}" kernels.c -o "$out/kernels-avx512.o" &
  pids+=($!)
  "$cc" "${common[@]}" -c -DKERNEL_PATH=amx -DPATH_AMX -DAMX_EMULATED "${avx512[@]}" -mavx512bf16 kernels.c \
    -o "$out/kernels-amx.o" &
  pids+=($!)
  objects+=("$out/kernels-avx2.o" "$out/kernels-avx512.o" "$out/kernels-amx.o")
fi
for pid in "${pids[@]}"; do wait "$pid"; done
for source in test/${1:-*}-test.c; do
  program="$out/$(basename "$source" .c)"
  more=()
  [[ "$source" != test/operators-test.c ]] || more=(operators.c paths.c pool.c)
  [[ "$source" != test/pool-test.c ]] || more=(pool.c)
  "$cc" "${common[@]}" -DAMX_EMULATED "$source" "${more[@]}" scratch.c "${objects[@]}" -o "$program" -lm
  "$program" "${@:2}"
done

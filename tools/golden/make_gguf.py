"""GGUF files written by the `gguf` package, and their values as it and transformers read them."""

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from golden_io import GOLDEN, made_with, write_json

ROWS, WIDTH = 3, 256
ENCODED = [Type.F32, Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0]
# The package decodes these but does not encode them: random bits, with sound numbers where the halves lie.
RANDOM_HALVES = {Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,)}


def random_blocks(rng: np.random.Generator, kind: Type) -> np.ndarray:
    block, size = GGML_QUANT_SIZES[kind]
    data = rng.integers(0, 256, (ROWS, WIDTH // block, size), dtype=np.uint8)
    for at in RANDOM_HALVES[kind]:
        halves = rng.normal(0, 0.02, data.shape[:2]).astype("<f2")
        data[:, :, at : at + 2] = halves.view(np.uint8).reshape(*data.shape[:2], 2)
    return data.reshape(ROWS, -1)


def write_types() -> None:
    """Every tensor type and every type of metadata."""
    rng = np.random.default_rng(1)
    writer = GGUFWriter(GOLDEN / "gguf-types.gguf", "golden")
    scalars = {
        "UINT8": 200, "INT8": -100, "UINT16": 60000, "INT16": -30000, "UINT32": 4_000_000_000, "INT32": -2_000_000_000,
        "FLOAT32": 0.1, "BOOL": True, "STRING": "naïve ▁ 🙂", "UINT64": 2**53 + 2, "INT64": -(2**40), "FLOAT64": 0.1,
    }
    for name, value in scalars.items():
        writer.add_key_value(f"golden.{name}", value, GGUFValueType[name])
    writer.add_array("golden.strings", ["a", "", "ü"])
    writer.add_array("golden.integers", [3, -1, 2])
    writer.add_array("golden.nested", [[1, 2], [3, 4]])
    for kind in ENCODED + list(RANDOM_HALVES):
        if kind in RANDOM_HALVES:
            data = random_blocks(rng, kind)
        else:
            data = quantize(rng.normal(0, 1, (ROWS, WIDTH)).astype(np.float32), kind)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
    finish(writer)
    reader = GGUFReader(GOLDEN / "gguf-types.gguf")
    values = {t.name: dequantize(t.data, t.tensor_type).reshape(ROWS, WIDTH) for t in reader.tensors}
    save_file(values, GOLDEN / "gguf-types.values.safetensors")


LLAMA = {"layers": 1, "hidden": 32, "intermediate": 64, "heads": 4, "key_value_heads": 2, "head": 8, "vocabulary": 40}


def interleave(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows as llama.cpp's rotary embedding wants them: neighbours are a pair."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def write_llama() -> None:
    """A LLaMA with grouped heads and a head size of its own, in blocks where its rows allow it."""
    rng = np.random.default_rng(2)
    C, F, V = LLAMA["hidden"], LLAMA["intermediate"], LLAMA["vocabulary"]
    H, K, D = LLAMA["heads"], LLAMA["key_value_heads"], LLAMA["head"]
    writer = GGUFWriter(GOLDEN / "gguf-llama.gguf", "llama")
    writer.add_block_count(LLAMA["layers"])
    writer.add_context_length(128)
    writer.add_embedding_length(C)
    writer.add_feed_forward_length(F)
    writer.add_head_count(H)
    writer.add_head_count_kv(K)
    writer.add_rope_dimension_count(D)
    writer.add_rope_freq_base(50_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(V)
    normal = lambda *shape: rng.normal(0, 0.2, shape).astype(np.float32)
    tensors = {
        "token_embd": (normal(V, C), Type.Q8_0),
        "blk.0.attn_norm": (1 + normal(C), Type.F32),
        "blk.0.attn_q": (interleave(normal(H * D, C), H), Type.Q4_1),
        "blk.0.attn_k": (interleave(normal(K * D, C), K), Type.Q5_0),
        "blk.0.attn_v": (normal(K * D, C), Type.Q4_0),
        "blk.0.attn_output": (normal(C, H * D), Type.F16),
        "blk.0.ffn_norm": (1 + normal(C), Type.F32),
        "blk.0.ffn_gate": (normal(F, C), Type.Q4_1),
        "blk.0.ffn_up": (normal(F, C), Type.Q4_1),
        "blk.0.ffn_down": (normal(C, F), Type.Q5_1),
        "output_norm": (1 + normal(C), Type.F32),
    }
    for name, (values, kind) in tensors.items():
        writer.add_tensor(f"{name}.weight", quantize(values, kind), raw_dtype=kind)
    finish(writer)
    path = GOLDEN / "gguf-llama.gguf"
    model = LlamaForCausalLM(LlamaConfig(**load_gguf_checkpoint(path)["config"]))
    loaded = load_gguf_checkpoint(path, return_tensors=True, model_to_load=model)
    values = {name: tensor.float().numpy() for name, tensor in loaded["tensors"].items()}
    save_file({name: np.ascontiguousarray(value) for name, value in values.items()}, GOLDEN / "gguf-llama.values.safetensors")
    config = {key: value for key, value in loaded["config"].items() if isinstance(value, (int, float, str, bool))}
    write_json("gguf.json", {"madeWith": made_with("make_gguf.py", "gguf", "transformers", "numpy"), "config": config})


def finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write_types()
    write_llama()

"""Checkpoint folders as others write them, and their logits by transformers: Llama 3's rotary scaling in sharded bfloat16,
and an early conversion of LLaMA in float16 with wrong token ids and stored rotary frequencies."""

import json
import shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from golden_io import GOLDEN, write_tensors

torch.set_num_threads(1)

TOKENS = 40
SIZES = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, rms_norm_eps=1e-5)

# A context of 16 stretched by 8: of the 8 frequencies some are kept, some blended, some divided.
LLAMA_3 = dict(
    SIZES, num_key_value_heads=2, head_dim=16, vocab_size=53, max_position_embeddings=128, tie_word_embeddings=True,
    rope_parameters=dict(
        rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=16,
    ),
)
EARLY = dict(SIZES, vocab_size=47, max_position_embeddings=64, tie_word_embeddings=False)


def build(config: dict, dtype: torch.dtype, seed: int) -> LlamaForCausalLM:
    """Large weights, rounded to what is stored."""
    model = LlamaForCausalLM(LlamaConfig(**config, attn_implementation="eager"))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            scale = 0.5 if "embed" in name else 1.5 / parameter.shape[-1] ** 0.5
            parameter.copy_((1 + 0.2 * noise if "norm" in name else noise * scale).to(dtype))
    return model.eval()


def logits(model: LlamaForCausalLM, seed: int) -> dict[str, torch.Tensor]:
    ids = torch.randint(0, model.config.vocab_size, (1, TOKENS), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return {"input_ids": ids, "logits": model(ids).logits}


def save_llama_3(name: str, model: LlamaForCausalLM) -> None:
    folder = GOLDEN / name
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="16KB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    # As Llama 3's own configurations have it.
    rope = config.pop("rope_parameters")
    config.update(rope_theta=rope.pop("rope_theta"), rope_scaling=rope, torch_dtype=config.pop("dtype"))
    config.update(bos_token_id=128000, eos_token_id=[128001, 128008, 128009])
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def save_early(name: str, model: LlamaForCausalLM) -> None:
    folder = GOLDEN / name
    model.to(torch.float16).save_pretrained(folder)
    path = folder / "model.safetensors"
    frequencies = 1.0 / 10000 ** (torch.arange(0, 8, 2) / 8)
    stored = {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": frequencies.clone() for i in range(2)}
    save_file({**load_file(path), **stored}, path, metadata={"format": "pt"})
    (folder / "generation_config.json").write_text(json.dumps({"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": -1}) + "\n")
    config = dict(
        architectures=["LLaMAForCausalLM"], bos_token_id=0, eos_token_id=1, hidden_act="silu", hidden_size=32,
        intermediate_size=48, initializer_range=0.02, max_sequence_length=2048, model_type="llama", num_attention_heads=4,
        num_hidden_layers=2, pad_token_id=-1, rms_norm_eps=1e-5, torch_dtype="float16", transformers_version="4.27.0.dev0",
        use_cache=True, vocab_size=47,
    )
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    values = {}
    for name, config, dtype, save, seed in [
        ("checkpoint-llama-3", LLAMA_3, torch.bfloat16, save_llama_3, 11),
        ("checkpoint-early", EARLY, torch.float16, save_early, 12),
    ]:
        shutil.rmtree(GOLDEN / name, ignore_errors=True)
        model = build(config, dtype, seed)
        values.update({f"{name}.{key}": value for key, value in logits(model, seed).items()})
        save(name, model)
    write_tensors("checkpoints.values.safetensors", values)

"""Golden values of two toy LLaMA models by PyTorch, transformers and PEFT: forward, gradients, LoRA training,
merging, generation, log-likelihoods.

Every number is computed in float32; the same run in float64 tells its rounding noise ("noise" in the JSON).
"""

import json
import os
import shutil
from dataclasses import dataclass

import torch
import transformers.models.llama.modeling_llama as modeling_llama
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, get_cosine_schedule_with_warmup
from transformers.modeling_outputs import CausalLMOutputWithPast

from golden_io import GOLDEN, made_with, relative_deviation, write_json, write_tensors

torch.set_num_threads(1)

IGNORE_INDEX = -100
PAD, BOS, EOS = 0, 1, 2
FIRST_TEXT_TOKEN = 3
ACCUMULATION = 2
STEPS = 10
WARMUP = 2
LEARNING_RATE = 1e-2
LEAST_MARGIN = 2e-2
NEW_TOKENS = 20


@dataclass(frozen=True)
class Toy:
    name: str
    seed: int
    prompt_seed: int
    """Chosen so that no greedy token is close to a tie and none is the end of sequence."""
    config: dict
    """Passed to LlamaConfig."""
    shard_size: str | None
    """Given: saved as several shards with an index."""
    partial_clip: float
    """A gradient norm that some training steps exceed and others do not."""
    modern_config: bool
    """config.json as transformers 5 writes it (`rope_parameters`, `dtype`); else as LLaMA checkpoints carry it."""


TOYS = [
    Toy(
        name="llama-untied",
        seed=1,
        prompt_seed=435,
        config=dict(
            vocab_size=97, hidden_size=48, intermediate_size=112, num_hidden_layers=3, num_attention_heads=6,
            num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0,
            tie_word_embeddings=False,
        ),
        shard_size=None,
        partial_clip=3.5,
        modern_config=False,
    ),
    Toy(
        name="llama-tied",
        seed=2,
        prompt_seed=438,
        config=dict(
            vocab_size=89, hidden_size=32, intermediate_size=88, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, head_dim=10, max_position_embeddings=64, rms_norm_eps=1e-6, rope_theta=500000.0,
            tie_word_embeddings=True,
        ),
        shard_size="60KB",
        partial_clip=7.0,
        modern_config=True,
    ),
]


# Model


def llama_config(toy: Toy) -> LlamaConfig:
    theta = toy.config["rope_theta"]
    sizes = {key: value for key, value in toy.config.items() if key != "rope_theta"}
    return LlamaConfig(
        **sizes, rope_parameters={"rope_type": "default", "rope_theta": theta}, hidden_act="silu",
        bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, attn_implementation="eager",
    )


def build_model(toy: Toy) -> LlamaForCausalLM:
    """Weights large enough that every part matters: attention is uneven, norm weights differ from 1."""
    model = LlamaForCausalLM(llama_config(toy))
    generator = torch.Generator().manual_seed(toy.seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.2 * noise if "norm" in name else noise * weight_scale(name, parameter))
    return model.eval()


def weight_scale(name: str, parameter: torch.Tensor) -> float:
    if "embed_tokens" in name:
        return 0.5
    return 1.5 / parameter.shape[-1] ** 0.5


def save_model(toy: Toy, model: LlamaForCausalLM) -> None:
    folder = GOLDEN / toy.name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, max_shard_size=toy.shard_size or "1GB")
    if not toy.modern_config:
        write_classic_config(toy, folder / "config.json")
    (folder / "generation_config.json").unlink(missing_ok=True)
    reloaded = LlamaForCausalLM.from_pretrained(folder)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, reloaded.get_parameter(name)), name
    assert reloaded.config.rope_parameters["rope_theta"] == toy.config["rope_theta"]


def write_classic_config(toy: Toy, path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", **toy.config, "hidden_act": "silu",
        "initializer_range": 0.02, "rope_scaling": None, "use_cache": True, "bos_token_id": BOS,
        "eos_token_id": EOS, "pad_token_id": PAD, "torch_dtype": "float32",
    }
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def llama_rms_norm_without_float32(self, hidden_states):
    """transformers computes the norm in float32 whatever the input; the float64 run must not."""
    variance = hidden_states.pow(2).mean(-1, keepdim=True)
    return self.weight * (hidden_states * torch.rsqrt(variance + self.variance_epsilon))


def causal_loss_without_float32(logits, labels, **_):
    """transformers casts logits to float32 before the loss."""
    return cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORE_INDEX)


def as_dtype(model, dtype: torch.dtype):
    """The model in the dtype; float64 also replaces the places that fall back to float32 (all but the RoPE table)."""
    if dtype == torch.float64:
        for module in model.modules():
            if isinstance(module, modeling_llama.LlamaRMSNorm):
                module.forward = llama_rms_norm_without_float32.__get__(module)
            if isinstance(module, LlamaForCausalLM):
                module.loss_function = causal_loss_without_float32
                module.set_attn_implementation("sdpa")
    return model.to(dtype)


# Batches


def ragged_batch(lengths: list[int], prompts: list[int], width: int, vocab: int, generator) -> dict:
    """Right-padded sequences; the first `prompts[i]` tokens of a row carry no label."""
    input_ids = torch.full((len(lengths), width), PAD)
    labels = torch.full_like(input_ids, IGNORE_INDEX)
    mask = torch.zeros_like(input_ids)
    for row, (length, prompt) in enumerate(zip(lengths, prompts)):
        text = torch.randint(FIRST_TEXT_TOKEN, vocab, (length - 2,), generator=generator)
        input_ids[row, :length] = torch.cat([torch.tensor([BOS]), text, torch.tensor([EOS])])
        labels[row, prompt:length] = input_ids[row, prompt:length]
        mask[row, :length] = 1
    return {"input_ids": input_ids, "attention_mask": mask, "labels": labels}


def evaluation_batch(toy: Toy) -> dict:
    generator = torch.Generator().manual_seed(toy.seed + 100)
    return ragged_batch([13, 7, 10], [5, 1, 8], 13, toy.config["vocab_size"], generator)


def training_batches(toy: Toy) -> list[dict]:
    """Unequal label counts, so a mean of micro-batch means differs from a mean over tokens; row 1 of batch 6 has no label."""
    generator = torch.Generator().manual_seed(toy.seed + 200)
    batches = []
    for index in range(STEPS * ACCUMULATION):
        lengths = [6 + int(torch.randint(0, 7, (1,), generator=generator)) for _ in range(2)]
        prompts = [1 + int(torch.randint(0, length - 2, (1,), generator=generator)) for length in lengths]
        if index == 6:
            prompts[1] = lengths[1]
        batches.append(ragged_batch(lengths, prompts, 12, toy.config["vocab_size"], generator))
    return batches


# Forward and gradients


def forward_values(model, batch: dict, prefix: str) -> dict[str, torch.Tensor]:
    """Logits at real positions (zero at padding) and the mean loss."""
    output: CausalLMOutputWithPast = model(**batch)
    logits = output.logits * batch["attention_mask"].unsqueeze(-1)
    return {f"{prefix}logits": logits.detach(), f"{prefix}loss": output.loss.detach().reshape(1)}


def hidden_values(model, batch: dict) -> dict[str, torch.Tensor]:
    """Embeddings, then each block's output; the last one is after the final norm, as transformers reports it."""
    with torch.no_grad():
        states = model(**batch, output_hidden_states=True).hidden_states
    mask = batch["attention_mask"].unsqueeze(-1)
    return {f"hidden.{index}": state * mask for index, state in enumerate(states)}


def gradient_values(model, batch: dict, prefix: str, rename=lambda name: name) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model(**batch).loss.backward()
    return {
        f"{prefix}{rename(name)}": parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


# LoRA


def adapter_key(name: str) -> str:
    """The name of a LoRA weight in PEFT's file: without the adapter's name."""
    return name.replace(".default.", ".")


def add_adapter(toy: Toy, model):
    """Rank 4, alpha 8 on q_proj and v_proj; B is not zero, so A has gradients and merging changes something."""
    config = LoraConfig(
        r=4, lora_alpha=8, lora_dropout=0.0, target_modules=["q_proj", "v_proj"], bias="none", task_type="CAUSAL_LM"
    )
    torch.manual_seed(toy.seed)
    adapted = get_peft_model(model, config)
    generator = torch.Generator().manual_seed(toy.seed + 300)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                scale = 0.1 if "lora_B" in name else 1 / parameter.shape[-1] ** 0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return adapted.eval()


def save_adapter(toy: Toy, adapted) -> None:
    folder = GOLDEN / f"{toy.name}-adapter"
    shutil.rmtree(folder, ignore_errors=True)
    for config in adapted.peft_config.values():
        config.base_model_name_or_path = toy.name
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)


def adapted_copy(toy: Toy, dtype: torch.dtype):
    return as_dtype(add_adapter(toy, build_model(toy)), dtype)


def merged_values(toy: Toy, dtype: torch.dtype, batch: dict) -> dict[str, torch.Tensor]:
    merged = adapted_copy(toy, dtype).merge_and_unload()
    weights = {
        f"merged.weight.{name}": parameter
        for name, parameter in merged.named_parameters()
        if ".layers.0." in name and ("q_proj" in name or "v_proj" in name)
    }
    return {**forward_values(merged, batch, "merged."), **weights}


def train(toy: Toy, dtype: torch.dtype, weight_decay: float, max_grad_norm: float) -> tuple[dict, dict]:
    """Ten AdamW steps of two micro-batches; returns per-step numbers and the final LoRA weights."""
    model = adapted_copy(toy, dtype)
    trained = [(adapter_key(n), p) for n, p in model.named_parameters() if p.requires_grad]
    parameters = [parameter for _, parameter in trained]
    optimizer = torch.optim.AdamW(
        parameters, lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=weight_decay, foreach=False
    )
    schedule = get_cosine_schedule_with_warmup(optimizer, WARMUP, STEPS)
    batches = training_batches(toy)
    history = {"weightDecay": weight_decay, "maxGradNorm": max_grad_norm, "microBatchLosses": [], "losses": [], "gradNorms": [], "learningRates": []}
    for step in range(STEPS):
        losses = []
        for batch in batches[step * ACCUMULATION : (step + 1) * ACCUMULATION]:
            loss = model(**batch).loss
            (loss / ACCUMULATION).backward()
            losses.append(loss.item())
        norm = torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm)
        history["microBatchLosses"].append(losses)
        history["losses"].append(sum(losses) / ACCUMULATION)
        history["gradNorms"].append(norm.item())
        history["learningRates"].append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return history, {name: parameter.detach() for name, parameter in trained}


# Generation


def prompts(toy: Toy) -> list[list[int]]:
    generator = torch.Generator().manual_seed(toy.prompt_seed)
    vocab = toy.config["vocab_size"]
    return [
        [BOS, *torch.randint(FIRST_TEXT_TOKEN, vocab, (length,), generator=generator).tolist()]
        for length in (3, 8, 5)
    ]


def generate(model, rows: list[list[int]]) -> list[list[int]]:
    """Greedy continuations of left-padded prompts; never stops early."""
    width = max(map(len, rows))
    input_ids = torch.tensor([[PAD] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    output = model.generate(
        input_ids=input_ids, attention_mask=mask, do_sample=False, max_new_tokens=NEW_TOKENS,
        min_new_tokens=None, eos_token_id=None, pad_token_id=PAD,
    )
    return output[:, width:].tolist()


def top_two_margin(model, prompt: list[int], continuation: list[int]) -> float:
    """Smallest lead, in logits, of the chosen token: far above rounding, or the golden would be fragile."""
    logits = continuation_logits(model, prompt, continuation)
    best = logits.topk(2, dim=-1)
    assert best.indices[:, 0].tolist() == continuation
    return (best.values[:, 0] - best.values[:, 1]).min().item()


@torch.no_grad()
def continuation_logits(model, context: list[int], continuation: list[int]) -> torch.Tensor:
    logits = model(input_ids=torch.tensor([context + continuation])).logits[0]
    return logits[len(context) - 1 : -1]


def generation_values(model, rows: list[list[int]]) -> list[dict]:
    together = generate(model, rows)
    for row, tokens in zip(rows, together):
        assert generate(model, [row]) == [tokens], "a batch must equal its rows one by one"
        assert EOS not in tokens and len(tokens) == NEW_TOKENS
    return [
        {"promptIds": row, "tokenIds": tokens, "smallestMargin": top_two_margin(model, row, tokens)}
        for row, tokens in zip(rows, together)
    ]


def loglikelihood_values(model, double_model, toy: Toy, generations: list[dict]) -> list[dict]:
    """Greedy continuations, a greedy one with its last token changed, and arbitrary ones of 1 to 6 tokens."""
    generator = torch.Generator().manual_seed(toy.seed + 500)
    vocab = toy.config["vocab_size"]
    first = generations[0]
    requests = [
        (first["promptIds"], first["tokenIds"][:4]),
        (first["promptIds"], [*first["tokenIds"][:3], (first["tokenIds"][3] + 1) % vocab]),
        (generations[1]["promptIds"], generations[1]["tokenIds"][:1]),
        ([BOS], [EOS]),
    ]
    for length in (1, 2, 3, 6):
        context = [BOS, *torch.randint(FIRST_TEXT_TOKEN, vocab, (length + 2,), generator=generator).tolist()]
        requests.append((context, torch.randint(FIRST_TEXT_TOKEN, vocab, (length,), generator=generator).tolist()))
    return [loglikelihood(model, double_model, context, continuation) for context, continuation in requests]


def loglikelihood(model, double_model, context: list[int], continuation: list[int]) -> dict:
    index = torch.tensor(continuation).unsqueeze(-1)
    token_scores = [
        continuation_logits(m, context, continuation).log_softmax(-1).gather(-1, index).squeeze(-1)
        for m in (model, double_model)
    ]
    greedy = continuation_logits(model, context, continuation).argmax(-1).tolist() == continuation
    return {
        "contextIds": context,
        "continuationIds": continuation,
        "logProbNats": token_scores[0].sum().item(),
        "logProbNatsFloat64": token_scores[1].sum().item(),
        "tokenLogProbsNats": token_scores[0].tolist(),
        "isGreedy": greedy,
    }


# All of it


def tensor_values(toy: Toy, dtype: torch.dtype) -> tuple[dict, dict]:
    """Every tensor of the golden file, and the training histories, computed in one dtype."""
    batch = evaluation_batch(toy)
    model = as_dtype(build_model(toy), dtype)
    adapted = adapted_copy(toy, dtype)
    values = {
        **forward_values(model, batch, ""),
        **hidden_values(model, batch),
        **gradient_values(model, batch, "grad."),
        **forward_values(adapted, batch, "lora."),
        **gradient_values(adapted, batch, "lora.grad.", adapter_key),
        **merged_values(toy, dtype, batch),
    }
    histories = {}
    for label, decay, max_norm in (("decay", 0.1, 1.0), ("noDecay", 0.0, toy.partial_clip)):
        histories[label], weights = train(toy, dtype, decay, max_norm)
        values |= {f"train.{label}.{name}": weight for name, weight in weights.items()}
    return values, histories


def noise_of(values: dict, reference: dict) -> dict[str, float]:
    """Per group of tensors, the largest deviation of float32 from float64."""
    noise: dict[str, float] = {}
    for name, value in values.items():
        group = next((g for g in ("lora.grad", "grad", "merged.weight", "train.decay", "train.noDecay", "hidden")
                      if name.startswith(g)), name)
        noise[group] = max(noise.get(group, 0.0), relative_deviation(value, reference[name]))
    return noise


def make(toy: Toy) -> None:
    values, histories = tensor_values(toy, torch.float32)
    reference, reference_histories = tensor_values(toy, torch.float64)
    model = build_model(toy)
    save_model(toy, model)
    generations = generation_values(model, prompts(toy))
    assert min(g["smallestMargin"] for g in generations) > LEAST_MARGIN
    likelihoods = loglikelihood_values(model, as_dtype(build_model(toy), torch.float64), toy, generations)
    adapted = add_adapter(toy, build_model(toy))
    save_adapter(toy, adapted)
    batches = training_batches(toy)
    inputs = {f"batch.{key}": value for key, value in evaluation_batch(toy).items()}
    training = {f"train.{key}": torch.stack([batch[key] for batch in batches]) for key in batches[0]}
    write_tensors(f"{toy.name}.values.safetensors", {**inputs, **training, **values})
    write_json(f"{toy.name}.json", {
        "madeWith": made_with("make_llama.py", "torch", "transformers", "peft", "safetensors"),
        "noise": noise_of(values, reference),
        "loss": values["loss"].item(),
        "loraLoss": values["lora.loss"].item(),
        "mergedLoss": values["merged.loss"].item(),
        "optimizer": {
            "learningRate": LEARNING_RATE, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
            "warmupSteps": WARMUP, "steps": STEPS, "microBatches": ACCUMULATION,
        },
        "trainDecay": histories["decay"],
        "trainNoDecay": histories["noDecay"],
        "trainDecayFloat64": reference_histories["decay"],
        "trainNoDecayFloat64": reference_histories["noDecay"],
        "generations": generations,
        "adapterGenerations": generation_values(adapted, prompts(toy)),
        "logLikelihoods": likelihoods,
    })


if __name__ == "__main__":
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    for toy in TOYS:
        make(toy)

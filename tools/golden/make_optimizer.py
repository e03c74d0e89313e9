"""Golden values of AdamW, global-norm clipping and learning-rate schedules by PyTorch and transformers, without a model."""

import torch
from torch.nn.utils import clip_grad_norm_
from transformers import (
    get_constant_schedule,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

from golden_io import made_with, write_json

torch.set_num_threads(1)

STEPS = 10
SHAPES = {"vector": (5,), "matrix": (2, 3), "still": (4,)}
ZERO_GRADIENT = "still"
"""This parameter's gradient is zero at every step: only decay may move it."""
ZERO_STEP = 4
"""At this step every gradient is zero: the norm is 0 and the moments still move the weights."""
TINY_STEP = 7
"""At this step gradients are near epsilon."""

CASES = [
    dict(name="decay and clipping", learningRate=1e-2, beta1=0.9, beta2=0.999, epsilon=1e-8, weightDecay=0.1, maxGradNorm=1.0),
    dict(name="no decay, no clipping", learningRate=3e-4, beta1=0.9, beta2=0.95, epsilon=1e-6, weightDecay=0.0, maxGradNorm=None),
    dict(name="clipping that scales some steps only", learningRate=1e-1, beta1=0.8, beta2=0.99, epsilon=1e-8, weightDecay=0.01, maxGradNorm=2.5),
]


def initial_values() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}


def gradients() -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(8)
    scale = {ZERO_STEP: 0.0, TINY_STEP: 1e-8}
    return [
        {
            name: torch.randn(shape, generator=generator) * scale.get(step, 1.0) * (name != ZERO_GRADIENT)
            for name, shape in SHAPES.items()
        }
        for step in range(STEPS)
    ]


def lists(tensors: dict[str, torch.Tensor]) -> dict[str, list]:
    return {name: tensor.detach().flatten().tolist() for name, tensor in tensors.items()}


def run(case: dict, dtype: torch.dtype) -> dict:
    """Norms before clipping and the parameters after each step."""
    parameters = {name: torch.nn.Parameter(value.to(dtype)) for name, value in initial_values().items()}
    optimizer = torch.optim.AdamW(
        parameters.values(), lr=case["learningRate"], betas=(case["beta1"], case["beta2"]), eps=case["epsilon"],
        weight_decay=case["weightDecay"], foreach=False,
    )
    norms, history = [], []
    for step_gradients in gradients():
        for name, parameter in parameters.items():
            parameter.grad = step_gradients[name].to(dtype)
        limit = float("inf") if case["maxGradNorm"] is None else case["maxGradNorm"]
        norms.append(clip_grad_norm_(parameters.values(), limit).item())
        optimizer.step()
        history.append(lists(parameters))
    return {"gradNorms": norms, "parameters": history}


SCHEDULES = {
    "constant": lambda optimizer, warmup, steps: get_constant_schedule(optimizer),
    "constantWithWarmup": lambda optimizer, warmup, steps: get_constant_schedule_with_warmup(optimizer, warmup),
    "linear": get_linear_schedule_with_warmup,
    "cosine": get_cosine_schedule_with_warmup,
}


def learning_rates(kind: str, warmup: int, steps: int, peak: float) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    schedule = SCHEDULES[kind](optimizer, warmup, steps)
    rates = []
    for _ in range(steps + 1):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return rates


def schedule_cases() -> list[dict]:
    """The last value is the one after the last step. Past it the cosine would rise again: not a case anyone wants."""
    return [
        {"schedule": kind, "warmupSteps": warmup, "steps": steps, "peak": 2e-4,
         "learningRates": learning_rates(kind, warmup, steps, 2e-4)}
        for kind in SCHEDULES
        for warmup, steps in ((0, 8), (3, 12), (1, 1))
    ]


if __name__ == "__main__":
    write_json("optimizer.json", {
        "madeWith": made_with("make_optimizer.py", "torch", "transformers"),
        "shapes": {name: list(shape) for name, shape in SHAPES.items()},
        "initial": lists(initial_values()),
        "gradients": [lists(step) for step in gradients()],
        "cases": [
            {**case, **run(case, torch.float32), "parametersFloat64": run(case, torch.float64)["parameters"][-1]}
            for case in CASES
        ],
        "schedules": schedule_cases(),
    })

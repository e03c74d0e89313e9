"""Where golden files go and how they are written; what is in them is decided by the make_*.py scripts."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file

GOLDEN = Path(__file__).resolve().parents[2] / "test" / "parity" / "golden"


def made_with(script: str, *packages: str) -> dict:
    """The script and the versions that a golden file depends on."""
    versions = {package: version(package) for package in packages}
    return {"script": f"tools/golden/{script}", "python": platform.python_version(), **versions}


def write_json(name: str, value: object) -> None:
    """One line per leaf list would be unreadable and one line in all undiffable: break at two levels only."""
    text = "{\n" + ",\n".join(f"{json.dumps(k)}: {_second_level(v)}" for k, v in value.items()) + "\n}\n"
    assert json.loads(text) == value
    (GOLDEN / name).write_text(text, encoding="utf-8")


def _second_level(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        return "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "\n]"
    if isinstance(value, dict) and value:
        return "{\n  " + ",\n  ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()) + "\n}"
    return json.dumps(value)


def write_tensors(name: str, tensors: dict[str, torch.Tensor]) -> None:
    """Float tensors as float32, integers as int64."""
    stored = {key: _stored(tensor) for key, tensor in tensors.items()}
    save_file(stored, GOLDEN / name, metadata={"format": "pt"})


def _stored(tensor: torch.Tensor) -> torch.Tensor:
    dtype = torch.float32 if tensor.is_floating_point() else torch.int64
    return tensor.detach().to(dtype).contiguous().clone()


def relative_deviation(value: torch.Tensor, reference: torch.Tensor) -> float:
    """Largest absolute difference over the largest absolute reference value."""
    difference = (value.double() - reference.double()).abs().max().item()
    return difference / max(reference.double().abs().max().item(), 1e-30)

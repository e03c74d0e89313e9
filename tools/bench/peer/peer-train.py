"""PyTorch, transformers and PEFT as the training benchmark's peer: obeys the commands of protocol.ts on standard input."""

import gc
import math
import time
import warnings

from commands import obey  # isort: skip (before libraries that print)

import peft
import torch
import transformers

warnings.simplefilter("ignore", FutureWarning)
transformers.utils.logging.disable_progress_bar()


class Training:
    """A model with its adapter and optimiser; one step for every batch."""

    def __init__(self, model, adapter, learningRate, threads, dtype, attention, adapterDtype, compile, **_):
        torch.set_num_threads(threads)
        base = transformers.AutoModelForCausalLM.from_pretrained(
            model, dtype=getattr(torch, dtype), attn_implementation=attention
        )
        base.config.use_cache = False
        adapted = peft.PeftModel.from_pretrained(
            base, adapter, is_trainable=True, autocast_adapter_dtype=adapterDtype == "float32"
        )
        if adapterDtype != "float32":
            for parameter in adapted.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.to(getattr(torch, adapterDtype))
        adapted.train()
        trained = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=learningRate, weight_decay=0.0, fused=True)
        self.model = torch.compile(adapted) if compile else adapted

    def step(self, batch):
        loss = self.model(**batch).loss
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def train(self, batches):
        ready = [to_tensors(batch) for batch in batches]
        seconds, losses = [], []
        for batch in ready:
            started = time.perf_counter()
            losses.append(self.step(batch))
            seconds.append(time.perf_counter() - started)
            if not math.isfinite(losses[-1]):
                raise ValueError(f"the loss of step {len(losses)} is {losses[-1]}")
        return {"seconds": seconds, "losses": losses}


def to_tensors(batch):
    """A mask is given only where there is padding: without one the attention is at its fastest."""
    ids = torch.tensor(batch["inputIds"])
    tensors = {"input_ids": ids, "labels": torch.tensor(batch["labels"])}
    lengths = torch.tensor(batch["lengths"])
    if int(lengths.min()) < ids.shape[1]:
        tensors["attention_mask"] = (torch.arange(ids.shape[1])[None, :] < lengths[:, None]).long()
    return tensors


training = None


def load(**settings):
    global training
    training = None
    gc.collect()
    torch._dynamo.reset()
    training = Training(**settings)
    return {}


obey((torch, transformers, peft), {"load": load, "train": lambda batches: training.train(batches)})

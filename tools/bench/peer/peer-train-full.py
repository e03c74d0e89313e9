"""PyTorch and transformers as the peer of `pnpm bench train-full`: trains all weights by the commands of protocol.ts on standard input."""

import math
import time

from commands import obey  # isort: skip (before libraries that print)

import torch
import transformers

transformers.utils.logging.disable_progress_bar()


class Training:
    """A model all of whose parameters are trained; one step for every batch."""

    def __init__(self, model, learningRate, threads, dtype, attention, **_):
        torch.set_num_threads(threads)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            model, dtype=getattr(torch, dtype), attn_implementation=attention
        )
        self.model.config.use_cache = False
        self.model.train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=learningRate, weight_decay=0.0, fused=True)

    def step(self, batch):
        loss = self.model(**batch).loss
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def train(self, batches):
        ready = [{"input_ids": torch.tensor(b["inputIds"]), "labels": torch.tensor(b["labels"])} for b in batches]
        seconds, losses = [], []
        for batch in ready:
            started = time.perf_counter()
            losses.append(self.step(batch))
            seconds.append(time.perf_counter() - started)
            if not math.isfinite(losses[-1]):
                raise ValueError(f"the loss of step {len(losses)} is {losses[-1]}")
        return {"seconds": seconds, "losses": losses}


training = None


def load(**settings):
    global training
    training = Training(**settings)
    return {}


obey((torch, transformers), {"load": load, "train": lambda batches: training.train(batches)})

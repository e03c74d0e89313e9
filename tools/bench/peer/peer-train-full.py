"""PyTorch and transformers as the peer of `pnpm bench train-full`: trains all weights by the commands of protocol.ts on standard input.

What libraries print goes to standard error; standard output carries the answers alone.
"""

import json
import math
import os
import platform
import sys
import time

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import torch  # noqa: E402
import transformers  # noqa: E402

transformers.utils.logging.disable_progress_bar()


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


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


def main():
    training = None
    versions = {"python": platform.python_version()}
    versions |= {module.__name__: module.__version__ for module in (torch, transformers)}
    answer({"versions": versions})
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["command"] == "load":
                training = Training(**command)
                answer({})
            elif command["command"] == "train":
                answer(training.train(command["batches"]))
            else:
                raise ValueError(f"unknown command {command['command']}")
        except Exception as error:  # the benchmark decides what a failure means
            answer({"error": f"{type(error).__name__}: {error}"})


main()

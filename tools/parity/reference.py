"""What transformers computes of a checkpoint in float32: next-token logits, greedy tokens, log-likelihoods.

python reference.py MODEL_FOLDER REQUESTS.json OUT_FOLDER

REQUESTS.json holds `requests`, each with `prompt` and `continuation` as token ids, and `newTokens`. OUT_FOLDER gets
`logits.bin`, float32 [requests, vocabulary], and `results.json`: per request `tokens`, by how much each one's logit was
above the second (`margins`), and the continuation's `logProb` in nats.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM


def greedy(model, prompt, count):
    """The likeliest tokens one after another, over a cache, and their margins."""
    ids, cache, tokens, margins = torch.tensor([prompt]), None, [], []
    for _ in range(count):
        out = model(input_ids=ids, past_key_values=cache, use_cache=True)
        cache, logits = out.past_key_values, out.logits[0, -1]
        first, second = logits.topk(2).values.tolist()
        tokens.append(int(logits.argmax()))
        margins.append(first - second)
        ids = torch.tensor([[tokens[-1]]])
    return tokens, margins


def main(folder, requests_path, out):
    given = json.loads(Path(requests_path).read_text())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    results, rows = [], []
    with torch.inference_mode():
        for request in given["requests"]:
            prompt, continuation = request["prompt"], request["continuation"]
            logits = model(input_ids=torch.tensor([prompt + continuation])).logits[0]
            rows.append(logits[len(prompt) - 1])
            scored = logits[len(prompt) - 1 : -1].log_softmax(-1)
            log_prob = scored.gather(-1, torch.tensor(continuation)[:, None]).sum().item()
            tokens, margins = greedy(model, prompt, given["newTokens"])
            results.append({"tokens": tokens, "margins": margins, "logProb": log_prob})
    (Path(out) / "logits.bin").write_bytes(torch.stack(rows).numpy().tobytes())
    (Path(out) / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])

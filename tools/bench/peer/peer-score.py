"""transformers as the scoring benchmark's peer: obeys `load` and `score` of generate/protocol.ts on standard input.

Requests that differ in their last token alone share a row, rows are sorted by length and padded on the right (so that no
mask is needed), and only the positions that are asked about go through the output head.
"""

import gc
import time

from commands import obey  # isort: skip (before libraries that print)

import torch
import transformers

transformers.utils.logging.disable_progress_bar()


class Scorer:
    def __init__(self, model, dtype, threads, **_):
        torch.set_num_threads(threads)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            model, dtype=getattr(torch, dtype), attn_implementation="sdpa"
        ).eval()

    @torch.inference_mode()
    def score(self, requests, batch_size):
        rows = {}
        for index, request in enumerate(requests):
            context, continuation = request["contextIds"], request["continuationIds"]
            key = tuple(context + continuation[:-1])
            rows.setdefault(key, []).append((index, len(context) - 1, continuation))
        scores = [0.0] * len(requests)
        ordered = sorted(rows.items(), key=lambda row: -len(row[0]))
        for begin in range(0, len(ordered), batch_size):
            self.score_batch(ordered[begin : begin + batch_size], scores)
        return scores

    def score_batch(self, batch, scores):
        length = len(batch[0][0])
        ids = torch.tensor([list(tokens) + [0] * (length - len(tokens)) for tokens, _ in batch])
        hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
        for row, (_, readers) in enumerate(batch):
            first = min(position for _, position, _ in readers)
            last = max(position + len(targets) for _, position, targets in readers)
            logits = self.model.lm_head(hidden[row, first:last]).float()
            log_probs = torch.log_softmax(logits, dim=-1)
            for index, position, targets in readers:
                picked = log_probs[range(position - first, position - first + len(targets)), targets]
                scores[index] = picked.sum().item()


scorer = None


def load(**settings):
    global scorer
    scorer = None
    gc.collect()
    scorer = Scorer(**settings)
    return {}


def score(requests, batchSize):
    started = time.perf_counter()
    scores = scorer.score(requests, batchSize)
    return {"seconds": time.perf_counter() - started, "logProbs": scores}


obey((torch, transformers), {"load": load, "score": score})

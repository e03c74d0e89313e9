"""Golden label masks: FastChat's own preprocess(), with the slow tokenizer in legacy mode, at several length limits."""

import torch
from fastchat.model.model_adapter import get_conversation_template
from fastchat.train.train import IGNORE_TOKEN_ID, preprocess

from golden_io import made_with, write_json
from legacy_tokenizer import legacy_tokenizer
from mask_conversations import CONVERSATIONS

RECIPE_LIMIT = 1280
SHORT_LIMIT = 64
UNLIMITED = 4096
PAD = 0


def rendered(conversation: list[dict]) -> str:
    """The training text, as preprocess() renders it."""
    template = get_conversation_template("vicuna")
    template.messages = []
    start = 0 if conversation[0]["from"] == "human" else 1
    for message in conversation[start:]:
        template.append_message(template.roles[message["from"] == "gpt"], message["value"])
    return template.get_prompt()


def label_ranges(ids: list[int], labels: list[int]) -> list[list[int]]:
    """Half-open ranges of labelled positions; a label is always its own token."""
    assert all(label in (IGNORE_TOKEN_ID, token) for token, label in zip(ids, labels))
    kept = [label != IGNORE_TOKEN_ID for label in labels]
    edges = [i for i in range(len(kept) + 1) if (kept[i] if i < len(kept) else False) != (kept[i - 1] if i else False)]
    return [list(pair) for pair in zip(edges[::2], edges[1::2])]


def masked(conversation: list[dict], limit: int) -> tuple[list[int], list[list[int]]]:
    """Ids without padding, and the ranges of labels; these reach one past the ids where padding is trained on."""
    row = preprocess([conversation], legacy_tokenizer(limit))
    ids, labels = row["input_ids"][0], row["labels"][0]
    assert len(ids) == limit and torch.equal(row["attention_mask"][0], ids != PAD)
    length = int((ids != PAD).nonzero().max()) + 1
    ranges = label_ranges(ids.tolist(), labels.tolist())
    assert all(end <= length + 1 for _, end in ranges)
    return ids[:length].tolist(), ranges


def limits(length: int) -> list[int]:
    """Around the row's own length too, where the consistency check switches off."""
    around = [length - 1, length, length + 1] if length <= RECIPE_LIMIT else []
    return sorted({SHORT_LIMIT, RECIPE_LIMIT, *around})


def golden(name: str, conversation: list[dict]) -> dict:
    case = {"name": name, "conversations": conversation}
    try:
        ids, _ = masked(conversation, UNLIMITED)
    except (AssertionError, KeyError, IndexError) as error:
        return {**case, "rejected": type(error).__name__}
    masks = []
    for limit in limits(len(ids)):
        visible, ranges = masked(conversation, limit)
        assert visible == ids[:limit]
        masks.append({"maxLength": limit, "labelRanges": ranges})
    return {**case, "text": rendered(conversation), "ids": ids, "masks": masks}


if __name__ == "__main__":
    write_json("masks.json", {
        "madeWith": made_with("make_masks.py", "fschat", "transformers", "tokenizers", "sentencepiece"),
        "cases": [golden(name, conversation) for name, conversation in CONVERSATIONS.items()],
    })

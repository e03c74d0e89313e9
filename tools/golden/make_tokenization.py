"""Golden tokens of the LLaMA vocabulary: by Hugging Face `tokenizers`, and by the slow tokenizer of 2023 where they differ."""

import hashlib

from tokenizers import Tokenizer

from golden_io import made_with, write_json
from legacy_tokenizer import legacy_tokenizer, tokenizer_folder
from tokenization_texts import TEXTS


def tokenization(fast: Tokenizer, slow, text: str) -> dict:
    ids = fast.encode(text).ids
    legacy_ids = slow(text).input_ids
    case = {"text": text, "ids": ids, "decoded": fast.decode(ids, skip_special_tokens=True)}
    return case if legacy_ids == ids else {**case, "legacyIds": legacy_ids}


if __name__ == "__main__":
    path = tokenizer_folder() / "tokenizer.json"
    fast, slow = Tokenizer.from_file(str(path)), legacy_tokenizer(2048)
    write_json("tokenization.json", {
        "madeWith": made_with("make_tokenization.py", "tokenizers", "transformers", "sentencepiece"),
        "tokenizerSha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "cases": [tokenization(fast, slow, text) for text in TEXTS],
    })

"""The slow LlamaTokenizer in legacy mode, as Vicuna was trained with it. Needs transformers 4 (requirements-legacy.txt)."""

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

from transformers import LlamaTokenizer  # noqa: E402

from sentencepiece_model import write_sentencepiece_model  # noqa: E402

HERE = Path(__file__).resolve().parent


@cache
def tokenizer_folder() -> Path:
    """tokenizer.json from llama-tokenizer.ts and tokenizer.model made from it, in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="llama-tokenizer-"))
    subprocess.run(["npx", "tsx", "golden/llama-tokenizer.ts", str(folder)], cwd=HERE.parent, check=True)
    write_sentencepiece_model(folder / "tokenizer.json", folder / "tokenizer.model")
    return folder


def legacy_tokenizer(max_length: int) -> LlamaTokenizer:
    return LlamaTokenizer(
        str(tokenizer_folder() / "tokenizer.model"), legacy=True, pad_token="<unk>", padding_side="right",
        model_max_length=max_length, add_bos_token=True, add_eos_token=False,
    )

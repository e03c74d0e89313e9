"""A small byte-level BPE vocabulary, and the tokens that transformers and tokenizers give for some hundred lines with it."""

import json

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from golden_io import GOLDEN, made_with, write_json
from mask_conversations import CONVERSATIONS
from tokenization_texts import TEXTS

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
GPT_2 = pre_tokenizers.ByteLevel(add_prefix_space=False)


def isolated(*patterns: str) -> pre_tokenizers.PreTokenizer:
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    return pre_tokenizers.Sequence([*splits, BYTES])


# As the tokenizer.json of the models has them; SmolLM2's is the one that the vocabulary is made with.
PRE_TOKENIZERS = {
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT_2]),
    "gpt-2": GPT_2,
    "llama-bpe": isolated(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
    "qwen2": isolated(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
    "tekken": isolated(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"
        r"\s*[\r\n]+|\s+(?!\S)|\s+"),
    "gpt-4o": isolated(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
    "deepseek-coder": pre_tokenizers.Sequence([
        *(pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+")),
        pre_tokenizers.Digits(individual_digits=True), BYTES,
    ]),
}


def lines() -> list[str]:
    said = [message["value"] for conversation in CONVERSATIONS.values() for message in conversation]
    specials = ["<|im_start|>user\nHello<|im_end|>\n", "a<|im_end|>b", "<|endoftext|>", "<|im_end|> <|im_end|>", "<|im_end"]
    return list(dict.fromkeys([*TEXTS, *said, *specials]))


def train() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = PRE_TOKENIZERS["smollm"]
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(lines(), trainer)
    return tokenizer


def tokens(tokenizer: Tokenizer, pre: str) -> list[list[int]]:
    """Llama 3's and Tekken's look for a whole word in the vocabulary first."""
    state = json.loads(tokenizer.to_str())
    state["model"]["ignore_merges"] = pre in ("llama-bpe", "tekken")
    other = Tokenizer.from_str(json.dumps(state))
    other.pre_tokenizer = PRE_TOKENIZERS[pre]
    return [other.encode(line).ids for line in lines()]


if __name__ == "__main__":
    tokenizer = train()
    folder = GOLDEN / "byte-level-tokenizer"
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>", "bos_token": "<|im_start|>"}) + "\n")
    fast = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), eos_token="<|im_end|>")
    write_json("byte-level.json", {
        "madeWith": made_with("make_byte_level.py", "transformers", "tokenizers"),
        "cases": [{"text": line, "ids": ids, "decoded": fast.decode(ids)} for line in lines() for ids in [fast.encode(line)]],
        "preTokenizers": {pre: tokens(tokenizer, pre) for pre in PRE_TOKENIZERS},
    })

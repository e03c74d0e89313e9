"""Small SentencePiece models of each kind, and the tokens that SentencePiece itself gives for the texts."""

import io

import sentencepiece

from golden_io import GOLDEN, made_with, write_json
from mask_conversations import CONVERSATIONS
from tokenization_texts import TEXTS

# Rules in place of NFKC, whose compiled form is large: "from<TAB>to" in hexadecimal code points.
RULES = {"\ufb01": "fi", "\u3000": " ", "\t": " ", "\n": " ", "\u00a0": " ", "Ａ": "A", "½": "1/2", "e\u0301": "é", "A\u030a": "Å", "İ": "I"}

PLAIN = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "character_coverage": 0.98}
MODELS = {
    "bpe": {**PLAIN, "model_type": "bpe", "vocab_size": 700, "byte_fallback": True, "split_digits": True,
            "allow_whitespace_only_pieces": True, "user_defined_symbols": ["<sep>", "▁▁▁▁", "=="], "control_symbols": ["<|im_end|>"]},
    "bpe-unknown": {"model_type": "bpe", "vocab_size": 450, "character_coverage": 0.98, "pad_id": 3},
    "unigram": {"model_type": "unigram", "vocab_size": 400, "character_coverage": 0.98, "user_defined_symbols": ["<sep>"]},
    "unigram-bytes": {**PLAIN, "model_type": "unigram", "vocab_size": 600, "byte_fallback": True, "split_digits": True},
}


def sentences() -> list[str]:
    said = [message["value"] for conversation in CONVERSATIONS.values() for message in conversation]
    return [text for text in [*TEXTS, *said] if len(text) < 2000 and "\0" not in text]


def rules_file() -> str:
    path = "/tmp/golden-rules.tsv"
    code_points = lambda text: " ".join(f"{ord(character):X}" for character in text)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{code_points(source)}\t{code_points(target)}\n" for source, target in RULES.items())
    return path


def train(name: str, options: dict) -> sentencepiece.SentencePieceProcessor:
    writer = io.BytesIO()
    rules = {} if "normalization_rule_name" in options else {"normalization_rule_tsv": rules_file()}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences()), model_writer=writer, num_threads=1, shuffle_input_sentence=False,
        minloglevel=2, **options, **rules,
    )
    model = writer.getvalue()
    (GOLDEN / f"sentencepiece-{name}.model").write_bytes(model)
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def encodable(processor: sentencepiece.SentencePieceProcessor, text: str) -> bool:
    """Tokens like </s> spelled out are text to SentencePiece and tokens to everything built on it."""
    specials = [processor.id_to_piece(i) for i in range(len(processor)) if processor.is_control(i) or processor.is_unknown(i)]
    return not any(special in text for special in specials) and "\0" not in text


def tokenization(processor: sentencepiece.SentencePieceProcessor, text: str) -> dict:
    ids = processor.encode(text)
    case = {"text": text, "ids": ids}
    # SentencePiece has a sign of its own for unknown text.
    return case if processor.unk_id() in ids else {**case, "decoded": processor.decode(ids)}


if __name__ == "__main__":
    cases = {}
    for name, options in MODELS.items():
        processor = train(name, options)
        cases[name] = [tokenization(processor, text) for text in [*TEXTS, "a<sep>b", "<sep>", " <sep> x", "====", "x        y"]
                       if encodable(processor, text)]
    write_json("sentencepiece.json", {"madeWith": made_with("make_sentencepiece.py", "sentencepiece"), "cases": cases})

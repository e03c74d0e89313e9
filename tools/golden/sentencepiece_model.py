"""The LLaMA vocabulary as a SentencePiece model: what the slow tokenizer of 2023 reads. Made from tokenizer.json.

LLaMA's own file differs only in its trainer settings: pieces and their order are the same, the score of piece i is
259 - i, the text is not normalised, spaces are kept and one is put before the text. Pieces of spaces alone are merged
last (they end the merge list of tokenizer.json), so all of them have one very low score.
"""

import json
from pathlib import Path

import sentencepiece.sentencepiece_model_pb2 as schema

FIRST_NORMAL_PIECE = 259
SPACES_SCORE = -1e9


def write_sentencepiece_model(tokenizer_json: Path, path: Path) -> None:
    vocabulary = json.loads(tokenizer_json.read_text(encoding="utf-8"))["model"]["vocab"]
    model = schema.ModelProto()
    for piece, index in sorted(vocabulary.items(), key=lambda item: item[1]):
        model.pieces.add(piece=piece, score=piece_score(piece, index), type=piece_type(index))
    trainer = model.trainer_spec
    trainer.model_type = schema.TrainerSpec.BPE
    trainer.vocab_size = len(vocabulary)
    trainer.byte_fallback = True
    trainer.unk_id, trainer.bos_id, trainer.eos_id, trainer.pad_id = 0, 1, 2, -1
    normalizer = model.normalizer_spec
    normalizer.name = "identity"
    normalizer.add_dummy_prefix = True
    normalizer.remove_extra_whitespaces = False
    normalizer.escape_whitespaces = True
    path.write_bytes(model.SerializeToString())


def piece_score(piece: str, index: int) -> float:
    if index < FIRST_NORMAL_PIECE:
        return 0.0
    return SPACES_SCORE if set(piece) == {"▁"} and len(piece) > 1 else float(FIRST_NORMAL_PIECE - index)


def piece_type(index: int) -> int:
    types = schema.ModelProto.SentencePiece
    if index == 0:
        return types.UNKNOWN
    if index in (1, 2):
        return types.CONTROL
    return types.BYTE if index < FIRST_NORMAL_PIECE else types.NORMAL

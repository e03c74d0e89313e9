"""Reads a JSON list of lines, writes the ids that transformers gives to each with the tokenizer of a folder, and their texts."""

import json
import sys

from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
ids = [tokenizer.encode(line) for line in json.load(sys.stdin)]
json.dump({"ids": ids, "decoded": [tokenizer.decode(one) for one in ids]}, sys.stdout)

"""What all peers share: commands of protocol.ts on standard input, one JSON line each, answers on standard output.

Import this before any library that prints: what is printed from then on goes to standard error.
"""

import json
import os
import platform
import sys

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def obey(modules, commands):
    """Answers with the modules' versions, then every line by `commands`: functions of its fields, by name."""
    versions = {"python": platform.python_version()} | {module.__name__: module.__version__ for module in modules}
    answer({"versions": versions})
    for line in sys.stdin:
        fields = json.loads(line)
        try:
            name = fields.pop("command")
            if name not in commands:
                raise ValueError(f"unknown command {name}")
            answer(commands[name](**fields))
        except Exception as error:  # the benchmark decides what a failure means
            answer({"error": f"{type(error).__name__}: {error}"})

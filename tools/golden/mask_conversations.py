"""Conversations that reach every branch of the label masking: name, then messages, human first unless "from" says so."""


def turns(*values: str) -> list[dict]:
    return [{"from": ("human", "gpt")[index % 2], "value": value} for index, value in enumerate(values)]


def said(*messages: tuple[str, str]) -> list[dict]:
    return [{"from": role, "value": value} for role, value in messages]


LONG = "Numbers, words and more words make a long row. "

CONVERSATIONS = {
    "one turn": turns("Hello!", "Hi!"),
    "two turns": turns("Hello!", "Hi!", "How are you?", "Fine."),
    "four turns of several sentences": turns(
        "What is the capital of France?", "The capital of France is Paris.", "And of Italy?", "Rome. It has been since 1871.",
        "Which is larger?", "Rome is larger:\n\n1. Rome: 2.8 million people\n2. Paris: 2.1 million people", "Thanks", "You're welcome!",
    ),
    "an answer that begins with a newline": turns("List two.", "\n- one\n- two"),
    "a second answer that begins with a newline": turns("Hello!", "Hi!", "List two.", "\n- one\n- two", "Thanks", "Bye"),
    "an answer that begins with a digit": turns("2 + 3?", "5 is the sum."),
    "an answer that begins with an emoji": turns("Smile", "😀 there"),
    "an answer that begins with a Han character": turns("Greet me", "你好"),
    "an answer that begins with a tab": turns("Indent", "\tindented"),
    "an answer that begins with spaces": turns("Indent", "   indented"),
    "an answer that ends with spaces": turns("Trail", "trailing  ", "Again", "trailing\n"),
    "an answer of one space": turns("Nothing?", " ", "And now?", "Something."),
    "an answer of one newline": turns("Nothing?", "\n"),
    "code in both messages": turns("Fix:\ndef f(x):\n  return x+", "```python\ndef f(x):\n    return x + 1\n```"),
    "the response marker in an instruction": turns("Write USER: a ASSISTANT: b", "No."),
    "the response marker in an answer": turns("Write a dialogue", "USER: a ASSISTANT: b"),
    "the response marker in the second turn": turns("Hello!", "Hi!", "Say ASSISTANT: x", "x"),
    "the response marker without its leading space": turns("Write\nASSISTANT: b", "ASSISTANT: b"),
    "the end of sequence in an instruction": turns("What is </s> for?", "It ends a text."),
    "the end of sequence in an answer": turns("What ends a text?", "The token </s> does."),
    "the end of sequence at the end of an answer": turns("Hello!", "Hi!</s>", "More", "Done"),
    "the end of sequence in the second turn": turns("Hello!", "Hi!", "What is it?", "It is </s> here"),
    "the beginning of sequence in an answer": turns("What begins a text?", "The token <s> does."),
    "the padding token in an answer": turns("What is unknown?", "The token <unk> is."),
    "last from human": turns("Hello!", "Hi!", "Are you there?"),
    "only from human": turns("Hello!"),
    "the response marker in a last message from human": turns("Hello!", "Hi!", "Say ASSISTANT: x"),
    "the response marker in an only message": turns("Say ASSISTANT: x y z"),
    "an empty answer": turns("Hello!", ""),
    "an empty answer before a full one": turns("Hello!", "", "Still there?", "Yes."),
    "an empty instruction": turns("", "I said nothing was asked."),
    "an empty second instruction": turns("Hello!", "Hi!", "", "Go on."),
    "first from gpt": said(("gpt", "Welcome."), ("human", "Hello!"), ("gpt", "Hi!")),
    "only from gpt": said(("gpt", "Welcome.")),
    "two from human in a row": said(("human", "Hello!"), ("human", "Hello?"), ("gpt", "Hi!")),
    "two from gpt at the start": said(("gpt", "Welcome."), ("gpt", "Hi!"), ("human", "Hello!"), ("gpt", "Hi!")),
    "an unknown role": said(("human", "Hello!"), ("system", "Hi!")),
    "no message": [],
    "an instruction longer than the limit": turns(LONG * 130, "Too late."),
    "an answer longer than the limit": turns("Go on.", LONG * 130),
    "a second instruction that crosses the limit": turns("Go on.", LONG * 60, LONG * 80, "Too late."),
    "a second answer that crosses the limit": turns("Go on.", LONG * 40, "More.", LONG * 90, "Enough.", "Yes."),
    "a mismatch hidden by the limit": turns("Go on.", LONG * 60, "Say ASSISTANT: x", LONG * 60),
}

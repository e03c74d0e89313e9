"""Golden prompts: transformers' apply_chat_template over the templates and conversations of chat_templates.py."""

from jinja2.exceptions import TemplateError
from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from chat_templates import CONVERSATIONS, TEMPLATES, ChatTemplate
from golden_io import made_with, write_json


def tokenizer(template: ChatTemplate) -> PreTrainedTokenizerFast:
    """No vocabulary is needed to render text."""
    specials = {"bos_token": template.bos, "eos_token": template.eos}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(BPE()), chat_template=template.source, **{k: v for k, v in specials.items() if v}
    )


def rendered(name: str, conversation: str, generates: bool) -> dict:
    template = TEMPLATES[name]
    case = {"template": name, "conversation": conversation, "addGenerationPrompt": generates}
    try:
        text = tokenizer(template).apply_chat_template(
            CONVERSATIONS[conversation], tokenize=False, add_generation_prompt=generates, **template.variables
        )
    except TemplateError as error:
        return {**case, "rejected": str(error)}
    return {**case, "text": text}


if __name__ == "__main__":
    write_json("chat-templates.json", {
        "madeWith": made_with("make_chat_templates.py", "transformers", "tokenizers", "jinja2"),
        "templates": {
            name: {"source": t.source, "bosToken": t.bos, "eosToken": t.eos, "variables": t.variables}
            for name, t in TEMPLATES.items()
        },
        "conversations": CONVERSATIONS,
        "cases": [
            rendered(name, conversation, generates)
            for name in TEMPLATES for conversation in CONVERSATIONS for generates in (True, False)
        ],
    })

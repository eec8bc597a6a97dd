"""What pydantic finds wrong with the form of a request, in our words.

The doors check the form of their arguments with pydantic. They say the same of the same
mistake, and never repeat the value: it may be long, or a secret.
"""

from collections.abc import Mapping
from typing import Any

_WHOLE = "must be a whole number, such as 7"
_NUMBER = "must be a number, such as 12.5"
_TEXT = 'must be text, such as "name"'
_LIST = 'must be a list, such as ["name", "email"] or [7, 8]'
_OBJECT = 'must be an object, such as {"name": "Azure"}'
_WORDS: Mapping[str, str] = {
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "digits": _WHOLE,
    "float_type": _NUMBER,
    "bool_type": "must be true or false",
    "flag": "must be true or false",
    "string_type": _TEXT,
    "string_too_short": "must not be empty",
    "list_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "too_short": "must not be empty",
    "fingerprint": "must be a fingerprint of 16 hexadecimal digits, such as "
    "'0123456789abcdef', as a description gives it",
    "missing": "must be given",
}


def finding(name: str, found: Mapping[str, Any]) -> str:
    """Say what is wrong with an argument, and what would be right.

    Args:
        name: What the argument is called; empty for all that was sent.
        found: One entry of what pydantic's ``ValidationError.errors`` answers.
    """
    subject = f"The argument {name!r}" if name else "What you send"
    kind, context = str(found["type"]), found.get("ctx", {})
    match kind:
        case "greater_than_equal":
            words = f"must be at least {context['ge']}"
        case "less_than_equal":
            words = f"must be at most {context['le']}"
        case "literal_error" | "enum":
            words = f"must be {context['expected']}"
        case _:
            words = _WORDS.get(kind, "is not in the form that is described for it")
    return f"{subject} {words}."

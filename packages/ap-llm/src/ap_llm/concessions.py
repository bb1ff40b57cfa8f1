"""Which part of a question a service refused, so that it can be asked again without."""

import re
from collections.abc import Set
from http import HTTPStatus

from ap_llm.failures import StatusError
from ap_llm.question import Part, Question

# What services call the parts when they refuse them.
NAMES = {
    Part.LIMIT: re.compile(r"max_tokens|max_completion_tokens"),
    Part.TEMPERATURE: re.compile(r"temperature"),
    Part.SEED: re.compile(r"\bseed\b"),
    Part.SCHEMA: re.compile(
        r"response_format|json_schema|output_format|output_config|structured.output|grammar|guided"
    ),
}
# A value out of range names its part too, but is the user's to correct.
NOT_TAKEN = re.compile(
    r"unsupported|not support|n't support|no longer|deprecated|unknown|unrecogni[sz]ed|unexpected"
    r"|not (?:be )?(?:permitted|allowed|accepted|available)|may only|instead"
)
STATUSES = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
EMPTY_WORDS = ("", "bad request", "invalid request", "unprocessable entity", "error")


def refused_part(error: StatusError, question: Question, *, of: Set[Part]) -> Part | None:
    """Part that the service refused, if that is what it says; None where something else is wrong.

    of: the parts that can be left out.
    """
    if error.status not in STATUSES:
        return None
    said = error.text.lower()
    for part in (part for part in Part if part in of and question.has(part)):
        if NAMES[part].search(said) and (part is Part.SCHEMA or NOT_TAKEN.search(said)):
            return part
    # A server that answers 400 without a word most often stumbles over the schema, which is the
    # least common part; one that answers 404 knows neither the model nor the URL.
    wordless = error.message.lower().strip(" .!") in EMPTY_WORDS
    if wordless and error.status != HTTPStatus.NOT_FOUND and question.has(Part.SCHEMA):
        return Part.SCHEMA
    return None

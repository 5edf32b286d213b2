"""What verbs of xAPI mean, by their last word in the registries that systems take them from."""

import re

_REGISTRY = re.compile(
    r"https?://(?:adlnet\.gov/expapi/verbs|id\.tincanapi\.com/verb|www\.tincanapi\.co\.uk/verbs"
    r"|activitystrea\.ms(?:/schema/1\.0)?|w3id\.org/xapi/[a-z0-9-]+/verbs"
    r"|xapi\.edlm/profiles/edlm-lms/concepts/verbs|vocab\.xapi\.fr/verbs)/([\w-]+)/?"
)

VOIDED = "voided"
SATISFIED = "satisfied"
PASSED = "passed"
PROGRESSED = "progressed"
UNCOMPLETED = "uncompleted"
MARKED_COMPLETION = "marked-completion"
"""Of TRAX, which says by `result.completion` whether it marks or unmarks."""

ENROLLED = frozenset({"registered", "enrolled", "enrolled_onto_learning_plan", "join"})
UNENROLLED = frozenset({"unregistered", "unenrolled", "unenrolled_from_learning_plan", "leave"})
COMPLETED = frozenset({"completed", "complete", PASSED, "mastered", "waived"})
VIEWED = frozenset(
    {
        "initialized",
        "launched",
        "attempted",
        "experienced",
        "resumed",
        "suspended",
        "terminated",
        "exited",
        "failed",
        "progressed",
        "interacted",
        "left",
        "viewed",
        "previewed",
        "navigated",
        "abandoned",
        "access",
        "open",
        "play",
        "played",
        "paused",
        "seeked",
        "read",
        "watch",
        "start",
        "evaluated",
        "downloaded",
        "restarted",
    }
)
_UNMISTAKABLE = (ENROLLED | UNENROLLED | {UNCOMPLETED}) - {"join", "leave"}


def verb_of(iri: str) -> str:
    """Return the verb's word, such as `completed`; the IRI itself of a verb from elsewhere.

    A `completed` of someone's own may mean anything; only verbs of enrollment and `uncompleted` count from anywhere.
    """
    if match := _REGISTRY.fullmatch(iri):
        return match[1]
    word = iri.rstrip("/").rpartition("/")[2]
    return word if word in _UNMISTAKABLE else iri

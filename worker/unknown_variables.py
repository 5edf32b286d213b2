"""Variables of the environment that look like settings and are none, probably misspelt."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches

from worker.settings import Settings, variable_name

_PREFIX = "PROGRESS_"
_OF_KUBERNETES = re.compile(r"(\w+_)?(SERVICE_(HOST|PORT)\w*|PORT(_\d+_(TCP|UDP)\w*)?)")
"""What it sets for a service named `progress`, after the prefix."""
_SIMILAR = 0.6
_ALMOST_EQUAL = 0.885
"""DATABASE_UR and REDIS_URI are that similar to ours, DATABASE_USER is not."""


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return a sentence for each variable that begins with PROGRESS_ and is no setting, or almost has a setting's name.

    A name of other programs, such as REDIS_URI, counts only while the setting is not set.
    """
    known = [variable_name(field) for field in Settings.model_fields]
    present = {name.upper() for name in environment}
    missing = [name for name in known if name not in present]
    sentences = []
    for name in sorted(present.difference(known)):
        is_ours = name.startswith(_PREFIX) and not _OF_KUBERNETES.fullmatch(name.removeprefix(_PREFIX))
        if is_ours:
            endings = {each.removeprefix(_PREFIX): each for each in known}
            near = [endings[each] for each in get_close_matches(name.removeprefix(_PREFIX), endings, 1, _SIMILAR)]
        elif name.startswith(("PROG", "DATAB", "REDI")):  # comparing everything would take too long
            near = get_close_matches(name, missing, 1, _ALMOST_EQUAL)
        else:
            continue
        if near:
            sentences.append(f"{name} is not a setting. Did you mean {near[0]}?")
        elif is_ours:
            sentences.append(f"{name} is not a setting. See `progress-worker config --all`.")
    return sentences

"""Length limits of the lists in the API's analyses."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from worker.analytics.analysis import CourseAnalysis, LearnerAnalysis

MAX_MEMBERS = 1_000
"""Members of a list."""

Analysis = TypeVar("Analysis", CourseAnalysis, LearnerAnalysis)


def shortened(found: Analysis, as_mapping: Callable[[Analysis], dict[str, Any]]) -> dict[str, Any]:
    """Return the analysis with the first 1,000 members of each list; `truncated` names the longer lists, if any."""
    lists = {each.name: getattr(found, each.name) for each in fields(found)}
    long = [name for name, each in lists.items() if isinstance(each, list) and len(each) > MAX_MEMBERS]
    members = as_mapping(replace(found, **{name: lists[name][:MAX_MEMBERS] for name in long}))
    return members | ({"truncated": long} if long else {})

"""Analyses as the API answers them: with lists that end, however many lessons a course has."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from worker.analytics.analysis import CourseAnalysis, LearnerAnalysis

MOST = 1_000
"""Members of a list."""

Analysis = TypeVar("Analysis", CourseAnalysis, LearnerAnalysis)


def shortened(found: Analysis, as_mapping: Callable[[Analysis], dict[str, Any]]) -> dict[str, Any]:
    """The mapping of the analysis with the first 1,000 of each list; `truncated`, where there is more, names those."""
    lists = {each.name: getattr(found, each.name) for each in fields(found)}
    long = [name for name, each in lists.items() if isinstance(each, list) and len(each) > MOST]
    members = as_mapping(replace(found, **{name: lists[name][:MOST] for name in long}))
    return members | ({"truncated": long} if long else {})

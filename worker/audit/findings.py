"""Sum the steps of an audit or a rebuild."""

from dataclasses import asdict, dataclass, field
from typing import Any

from worker.audit.compare import Step
from worker.audit.difference import Difference


@dataclass(slots=True)
class Findings:
    """The findings of the steps so far."""

    enrollments: int = 0
    differences: list[Difference] = field(default_factory=list)
    unprovable: int = 0
    courses_behind: int = 0
    courses_partial: int = 0
    too_large: list[int] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)
    bare: list[int] = field(default_factory=list)
    left: list[Difference] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    waiting_courses: list[int] = field(default_factory=list)
    changed_courses: list[int] = field(default_factory=list)
    last_course_id: int = 0
    """The last course that was rebuilt."""

    def add(self, step: Step) -> None:
        """Count one step."""
        self.enrollments += len(step.enrollments)
        self.differences += step.differences
        self.unprovable += sum(each.unprovable for each in step.enrollments)
        self.courses_behind += step.is_behind
        self.courses_partial += step.is_partial
        self.too_large += step.too_large
        self.busy += step.busy
        self.bare += [each.id for each in step.enrollments if each.is_bare]
        self.left += step.left
        self.waiting += step.waiting
        if step.course_id is not None and step.is_waiting:
            self.waiting_courses.append(step.course_id)
        if step.course_id is not None and step.has_changed:
            self.changed_courses.append(step.course_id)
        if step.is_done:
            self.last_course_id = step.course_id or 0

    @property
    def is_repaired(self) -> bool:
        """Whether everything was audited and every difference repaired."""
        return not (self.busy or self.too_large or self.left or self.waiting or self.waiting_courses)

    def as_mapping(self) -> dict[str, Any]:
        """Return the findings for scripts."""
        return {
            "enrollments": self.enrollments,
            "differences": [asdict(each) for each in self.differences],
            "unprovable_rows": self.unprovable,
            "courses_behind": self.courses_behind,
            "not_audited_enrollments": self.too_large,
            "courses_not_compared": self.courses_partial,
            "busy_enrollments": self.busy,
            "not_repaired": [asdict(each) for each in self.left],
            "waiting_enrollments": self.waiting,
            "waiting_courses": self.waiting_courses,
            "changed_courses": self.changed_courses,
            "enrollments_without_events": len(self.bare),
        }

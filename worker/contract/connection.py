"""A connection: one LMS, or other sender of records, under the name that is the `source` of its events."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from worker.contract.value_types import Name, refuse_unknown_zone

RecordFormat = Literal["xapi", "edx", "caliper", "canvas", "csv", "kolibri", "moodle", "frappe"]
"""The names of `worker.adapters.formats.FORMATS`."""


class Connection(BaseModel):
    """What is known of a connection. Every member but the name has a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    format: RecordFormat | None = Field(None, description="Format of its records, for `publish` without --format.")
    timezone: Annotated[str, AfterValidator(refuse_unknown_zone)] | None = Field(
        None, description="Zone of times without an offset, and of the enrollments it makes; default: none, and UTC."
    )
    enrol: Literal["any", "explicit"] = Field(
        "any",
        description="any: each event of a learner enrolls. explicit: only enrollment.created and completions do; "
        "views wait.",
    )
    lessons: Literal["create", "outline"] = Field(
        "create", description="create: an event may name a new lesson. outline: it waits until an outline names it."
    )
    ids: Literal["allocate", "refuse"] = Field(
        "allocate", description="allocate: new names get numbers. refuse: they are dead letters, `unmapped`."
    )
    packages: Literal["course", "lesson"] = Field(
        "course", description="xAPI. lesson: what a package calls its course is our lesson."
    )
    edx_level: Literal["block", "vertical", "sequential"] = Field(
        "block", description="xAPI of Open edX, its logs and outlines: what counts as a lesson."
    )
    infer: bool = Field(
        False,
        description="Logs of Open edX without completions: a video that ends and an answer that is graded complete it.",
    )
    site_course: int = Field(1, description="Moodle. Id of the course that is its front page.")
    guest: int = Field(1, description="Moodle. Id of the guest user.")
    assume_completed: bool = Field(
        False, description="Moodle's report. Whether a changed state, which it does not tell, is a completion."
    )
    course: Name | None = Field(None, description="Moodle's report. The course that it is of, such as `5`.")
    canvas_jwks: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Canvas. URL or file of the keys by which payloads sent to the API must be signed."
    )

"""What an event of Caliper means by its type and action."""

from worker.adapters.caliper_event import CaliperEvent
from worker.adapters.outcome import Ignored
from worker.contract.named_event import NamedLessonCompleted, NamedLessonViewed

LessonMeaning = type[NamedLessonViewed | NamedLessonCompleted]

COURSES = frozenset({"CourseSection", "CourseOffering"})

_VIEWED = {
    "NavigationEvent": "NavigatedTo",
    "ViewEvent": "Viewed",
    "ReadingEvent": "NavigatedTo Viewed",
    "ToolLaunchEvent": "Launched",
    "MediaEvent": (
        "Started Paused Resumed Restarted ForwardedTo JumpedTo ChangedResolution ChangedSize ChangedSpeed "
        "ChangedVolume EnabledClosedCaptioning DisabledClosedCaptioning EnteredFullScreen ExitedFullScreen Muted "
        "Unmuted OpenedPopout ClosedPopout"
    ),
    "AssignableEvent": "Started Abandoned Reviewed",
    "AssessmentEvent": "Started Paused Resumed Restarted Reset",
    "QuestionnaireEvent": "Started",
}
_COMPLETED = {
    "MediaEvent": "Ended",
    "AssignableEvent": "Completed Submitted",
    "AssessmentEvent": "Submitted Completed",
    "QuestionnaireEvent": "Submitted",
}
_LESSON_EVENTS: dict[tuple[str, str], LessonMeaning] = {
    (event_type, action): meaning
    for table, meaning in ((_VIEWED, NamedLessonViewed), (_COMPLETED, NamedLessonCompleted))
    for event_type, actions in table.items()
    for action in actions.split()
}


def meaning_of(event: CaliperEvent) -> LessonMeaning | None:
    """Return the type of lesson event that it becomes; None if it is an enrollment.

    Raises Ignored: `event_type`, `unenrolment`.
    """
    if event.type == "Event" and event.object.type in COURSES:
        if event.action == "Activated":
            return None
        if event.action == "Deactivated":
            raise Ignored("unenrolment")
    meaning = _LESSON_EVENTS.get((event.type, event.action))
    if meaning is None:
        raise Ignored("event_type")
    return meaning

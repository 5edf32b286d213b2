"""Endpoints of reports: an analysis as a page, and each of its tables as CSV and JSON."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from worker.api.dependencies import Caller, CallerParameter
from worker.api.problems import documented
from worker.api.report_schema import ReportTable
from worker.api.schema import CourseId, UserCourseId
from worker.errors import ConfigurationError
from worker.reports.class_list import CLASS_LIST, MAX_MEMBERS
from worker.reports.course_report import COURSE_TABLES, course_report
from worker.reports.export import as_csv, as_json
from worker.reports.learner_report import LEARNER_TABLES, learner_report
from worker.reports.page import POLICY, as_page
from worker.reports.table import Report

router = APIRouter(prefix="/reports", tags=["reports"])


_NO_STORE = {"Cache-Control": "no-store"}
"""Learners' data must not stay in caches."""

_COURSE, _LEARNER = "/course/{course_id:id}", "/learner/{user_course_id:id}"
_PAGE: dict[str, Any] = {
    "response_class": HTMLResponse,
    "responses": {200: {"description": "A self-contained page."}, **documented(404, 422, 501)},
}
_CSV: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {"description": "The table with a header row.", "content": {"text/csv": {"schema": {"type": "string"}}}},
        **documented(404, 422),
    },
}
_JSON: dict[str, Any] = {"response_model": ReportTable, "responses": documented(404, 422)}


def _names(tables: tuple[str, ...]) -> Any:
    """Return a plain path parameter: an unknown table is a 404, not a 422."""
    return Path(description="Name of the table.", examples=[tables[0]], json_schema_extra={"enum": list(tables)})


Accept = Annotated[str, Header(include_in_schema=False)]
"""Browsers name text/html; libraries send */* or nothing."""

DecimalComma = Annotated[
    bool, Query(description="Write numbers with a decimal comma, and semicolons between cells, as some regions do.")
]

CourseTable = Annotated[str, _names(COURSE_TABLES)]
LearnerTable = Annotated[str, _names(LEARNER_TABLES)]


@router.get(_COURSE, summary="Report on a course", **_PAGE)
async def get_course_report(course_id: CourseId, caller: CallerParameter) -> Response:
    """A page to read and print: its class list, completion, blockers, activity and time spent."""
    return await _page(await _course(course_id, caller, CLASS_LIST), caller)


@router.get(f"{_COURSE}/{{table}}.csv", summary="Export a table of a course's report as CSV", **_CSV)
async def get_course_csv(
    course_id: CourseId,
    table: CourseTable,
    caller: CallerParameter,
    accept: Accept = "",
    decimal_comma: DecimalComma = False,
) -> Response:
    """A table for spreadsheets, with a byte order mark if `Accept` names text/html or text/csv."""
    return await _csv(await _course(course_id, caller, table), table, caller, accept, decimal_comma=decimal_comma)


@router.get(f"{_COURSE}/{{table}}.json", summary="Export a table of a course's report as JSON", **_JSON)
async def get_course_table(course_id: CourseId, table: CourseTable, caller: CallerParameter) -> Response:
    """A table for programs."""
    return await _json(await _course(course_id, caller, table), table, caller)


@router.get(_LEARNER, summary="Report on a learner", **_PAGE)
async def get_learner_report(user_course_id: UserCourseId, caller: CallerParameter) -> Response:
    """A page to read and print: the enrollment's activity, pace, difficulties and recommendations."""
    return await _page(await _learner(user_course_id, caller), caller)


@router.get(f"{_LEARNER}/{{table}}.csv", summary="Export a table of a learner's report as CSV", **_CSV)
async def get_learner_csv(
    user_course_id: UserCourseId,
    table: LearnerTable,
    caller: CallerParameter,
    accept: Accept = "",
    decimal_comma: DecimalComma = False,
) -> Response:
    """A table for spreadsheets, with a byte order mark if `Accept` names text/html or text/csv."""
    return await _csv(await _learner(user_course_id, caller), table, caller, accept, decimal_comma=decimal_comma)


@router.get(f"{_LEARNER}/{{table}}.json", summary="Export a table of a learner's report as JSON", **_JSON)
async def get_learner_table(user_course_id: UserCourseId, table: LearnerTable, caller: CallerParameter) -> Response:
    """A table for programs."""
    return await _json(await _learner(user_course_id, caller), table, caller)


async def _course(course_id: int, caller: Caller, table: str) -> Report:
    """Read the class list only where it is shown."""
    caller.require_course(course_id)
    if table != CLASS_LIST:
        return await caller.service.aside(course_report, await caller.service.analyze_course(course_id=course_id))
    found, members = await caller.service.analyze_course_and_class(course_id=course_id, limit=MAX_MEMBERS)
    return await caller.service.aside(course_report, found, members.enrollments, members.total)


async def _learner(user_course_id: int, caller: Caller) -> Report:
    await caller.require_enrollment(user_course_id)
    found = await caller.service.analyze_learner(user_course_id=user_course_id)
    return await caller.service.aside(learner_report, found)


async def _page(report: Report, caller: Caller) -> Response:
    try:
        page = await caller.service.aside(as_page, report, is_served=True)
    except ConfigurationError as error:
        raise HTTPException(501, str(error)) from None
    return HTMLResponse(page, headers=_NO_STORE | {"Content-Security-Policy": POLICY})


async def _csv(report: Report, table: str, caller: Caller, accept: str, *, decimal_comma: bool) -> Response:
    """Browsers name a text type and open the file in a spreadsheet; programs would read the mark as a character."""
    name = f"{report.subject}-{report.id}-{table}.csv"
    for_spreadsheet = any(kind in accept.lower() for kind in ("text/html", "text/csv"))
    content = await caller.service.aside(
        as_csv, report.table(table), for_spreadsheet=for_spreadsheet, decimal_comma=decimal_comma
    )
    headers = _NO_STORE | {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}
    return Response(content, media_type="text/csv", headers=headers)


async def _json(report: Report, table: str, caller: Caller) -> Response:
    """Serialize outside the event loop, unlike FastAPI."""
    content = await caller.service.aside(as_json, report, report.table(table))
    return Response(content, media_type="application/json", headers=_NO_STORE)

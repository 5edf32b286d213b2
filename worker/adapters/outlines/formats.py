"""The formats of outlines: what reads each.

A reader depends on its document alone. It raises InputError, naming the document and the place in it, and nothing else
for any content.
"""

from collections.abc import Callable, Mapping

from worker.adapters.outlines.canvas import read_canvas
from worker.adapters.outlines.cmi5 import read_cmi5
from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.edx import read_edx
from worker.adapters.outlines.frappe import read_frappe
from worker.adapters.outlines.moodle import read_moodle
from worker.adapters.outlines.named_csv import read_csv
from worker.contract.named_event import NamedOutline

READERS: Mapping[str, Callable[[OutlineDocument], list[NamedOutline]]] = {
    "csv": read_csv,
    "cmi5": read_cmi5,
    "moodle": read_moodle,
    "edx": read_edx,
    "frappe": read_frappe,
    "canvas": read_canvas,
}

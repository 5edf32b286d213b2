"""The type of enrollment and course ids on the command line."""

import click

from worker.contract.id_ranges import MAX_ID

ID = click.IntRange(1, MAX_ID)

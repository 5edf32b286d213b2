"""The type of enrollment and course ids on the command line."""

import click

from worker.contract.ids import MAX_ID

ID = click.IntRange(1, MAX_ID)

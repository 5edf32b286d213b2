"""Show whether every table after the demo is as the plain-Python reference model expects."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.settings import Settings
    from worker.simulation.published import Published

SHOWN_DIFFERENCES = 5


def check(settings: "Settings", published: "list[Published]") -> bool:
    """Print stored against expected counts and one learner's summary; return whether everything is equal."""
    from worker.analytics.thresholds import AnalysisThresholds
    from worker.cli.output import console, new_table
    from worker.cli.servers import open_database
    from worker.cli.summary import summary_table
    from worker.printable import printable
    from worker.simulation.comparison import compare, example_enrollment
    from worker.simulation.expectation import expected_dead_letters, expected_state
    from worker.summary.read import get_summary

    state, dead_letters = expected_state(published), expected_dead_letters(published)
    cutoff, thresholds = settings.idle_cutoff_seconds, AnalysisThresholds.of(settings).stuck
    with open_database(settings) as engine:
        with engine.connect() as connection:
            compared = list(compare(connection, state, dead_letters, cutoff, thresholds))
        summary = summary_table(get_summary(engine, example_enrollment(state)))

    table = new_table("What is stored", "", "expected", "stored", "equal", numbers=["expected", "stored"])
    for each in compared:
        verdict = f"NO: {each.different_count:,} differ" if each.different_count else "yes"
        table.add_row(each.name, f"{each.expected_count:,}", f"{each.stored_count:,}", verdict)
    console().print(table)
    differences = [line for each in compared for line in each.differences[:SHOWN_DIFFERENCES]]
    if not differences:
        console().print("Every row and every dead letter is as expected.", style="green")
    for line in differences:
        console().print(printable(line), style="red")
    console().print("", summary, sep="\n")
    return not differences

"""Find the records in what wraps them, however deep."""

from collections.abc import Callable, Iterator


def unwrap(document: object, inside: Callable[[object], list[object] | None]) -> Iterator[object]:
    """Yield the records of a list, of an envelope, or of lists of envelopes, in order; or the document itself.

    `inside` returns what is in an envelope, None of anything else. Any depth, without recursion.
    """
    left = [document]
    while left:
        each = left.pop()
        inner = each if isinstance(each, list) else inside(each)
        if inner is None:
            yield each
        else:
            left += reversed(inner)

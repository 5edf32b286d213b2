"""Text of strangers, made safe for a terminal. Imports nothing of the project."""

from unicodedata import combining

MOST_MARKS = 4
"""Combining marks on one character; no language needs more, and a pile of them covers the lines around."""


def printable(text: str) -> str:
    """The text with every character that a terminal might obey, and marks piled up, written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    shown, marks = [], 0
    for each in text:
        marks = marks + 1 if combining(each) else 0
        plain = each.isprintable() and marks <= MOST_MARKS
        shown.append(each if plain else each.encode("unicode_escape", "surrogatepass").decode())
    return "".join(shown)

"""Untrusted text, made safe for a terminal. Imports nothing from the project."""

from unicodedata import combining

MAX_MARKS = 4
"""Combining marks on one character: no language needs more, and a pile of them covers other lines."""


def printable(text: str) -> str:
    """Return the text with control characters and excess combining marks escaped."""
    if text.isascii() and text.isprintable():
        return text
    shown, marks = [], 0
    for each in text:
        marks = marks + 1 if combining(each) else 0
        plain = each.isprintable() and marks <= MAX_MARKS
        shown.append(each if plain else each.encode("unicode_escape", "surrogatepass").decode())
    return "".join(shown)

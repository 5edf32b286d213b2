"""The rules of progress as pure functions and types: no I/O, no clock, nothing else of the project."""

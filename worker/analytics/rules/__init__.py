"""The definitions of the analytics as pure functions: no I/O and no clock."""

"""The definitions of the analytics as pure functions, without I/O or clock."""

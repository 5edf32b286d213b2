"""Translate the records of learning systems into named events. Pure: see `translation`."""

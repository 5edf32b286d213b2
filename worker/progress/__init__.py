"""Recording: events into the ledger, progress rows, positions, enrollments, outlines and dead letters."""

"""Read course outlines as learning systems give them, in names. Pure: see `formats`."""

"""Reports: an analysis as tables, and those as CSV, as JSON, and as one self-contained HTML page."""

"""Reports: an analysis as tables, exported as CSV and JSON or shown on one self-contained HTML page."""

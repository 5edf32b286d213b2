"""Activity, statistics of courses, and the analyses made of them: SQL, services, and the pure `rules`."""

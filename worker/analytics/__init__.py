"""Activity of learners, statistics of courses, and analyses of both: SQL, services and pure `rules`."""

"""Names of learners, courses, topics and lessons, and the numbers that stand for them."""

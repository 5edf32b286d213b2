"""The summary of each enrollment: percentage, lesson counts, current and next lesson."""

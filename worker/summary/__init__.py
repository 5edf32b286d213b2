"""The summary of each enrollment: percentage, lessons and where to go on."""

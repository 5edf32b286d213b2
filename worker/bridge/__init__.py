"""Programs that stand between a system of others and our streams."""

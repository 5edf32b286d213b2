"""Half as many random examples where each of them refreshes every rollup on a real PostgreSQL.

`make test ARGS='--hypothesis-profile=thorough'` tries ten times as many of everything.
"""

from hypothesis import settings

is_thorough = settings.get_current_profile_name() == "thorough"
"""Whoever runs the tests asked for everything."""

costly = settings(max_examples=settings().max_examples // 2)

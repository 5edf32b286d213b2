"""Which examples of the laws the tests were asked for: quick ones unless `--hypothesis-profile=` says full or thorough."""

from hypothesis import settings

is_thorough = settings.get_current_profile_name() == "thorough"

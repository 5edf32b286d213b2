"""How many examples of the laws are wanted: those of `quick`, unless `--hypothesis-profile=` names another."""

from hypothesis import settings

is_thorough = settings.get_current_profile_name() == "thorough"

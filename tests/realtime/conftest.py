"""Settings of Hypothesis: a slow machine is no failure."""

from hypothesis import settings

settings.register_profile("parley", deadline=None)
settings.load_profile("parley")

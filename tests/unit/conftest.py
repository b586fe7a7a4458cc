from __future__ import annotations

from hypothesis import settings

# A deadline for each example makes tests fail on a busy machine; `timeout` of pytest bounds the whole test. A commit is
# judged by the same examples each time; new ones are looked for by hand.
settings.register_profile("unit", deadline=None, derandomize=True)
settings.register_profile("long", deadline=None, max_examples=10_000)
if settings.get_current_profile_name() == "default":  # else --hypothesis-profile has been given
    settings.load_profile("unit")

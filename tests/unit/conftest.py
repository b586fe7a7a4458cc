from __future__ import annotations

from hypothesis import settings

# A deadline for each example makes tests fail on a busy machine; `timeout` of pytest bounds the whole test.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")

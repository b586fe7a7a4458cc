"""Importing this leaves the synchronous half of the official client out of the process: first thing at a start.

The package `kubernetes` imports both halves, and with the synchronous one what only that needs: .65 s of CPU at each
start, and 19 MB for good. kopf would take in objects of its classes, and knows what to do where it is not installed.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec

_PACKAGE, _SYNCHRONOUS = "kubernetes", "kubernetes.client"


def _leave_out() -> None:
    spec = find_spec(_PACKAGE)
    if spec is not None and _PACKAGE not in sys.modules:  # else somebody here needs it
        sys.modules[_PACKAGE] = module_from_spec(spec)  # its modules can be imported, and it has imported none
        sys.modules[_SYNCHRONOUS] = None  # type: ignore[assignment]  # how Python says that a module cannot be imported


_leave_out()

"""Python runs this before a script where PYTHONPATH has this folder: it has the adapters added to the frameworks.

The packages that lie beside the trainer's come last on the path: those of the training's image take precedence.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _next() -> None:
    """Run the sitecustomize that this one has taken the place of."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [folder for folder in sys.path if os.path.abspath(folder) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _start() -> None:
    try:
        from tuning_trainer.integrations.hooks import install  # noqa: PLC0415 - the path is there now

        install()
    except Exception as error:  # noqa: BLE001 - whatever it is, the training is worth more
        sys.stderr.write("tuning: automatic reporting is off: %r\n" % error)


_packages = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if _packages not in sys.path:
    sys.path.append(_packages)  # for report(), which works outside of a trial as well
if os.environ.get("TUNING_TRIAL"):
    if sys.version_info >= (3, 11):
        _start()
    else:
        sys.stderr.write("tuning: automatic reporting is off: that needs Python 3.11, this is %s\n" % sys.version)
_next()

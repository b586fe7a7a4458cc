"""Report the metrics of a training run, epoch by epoch, so that a tuner sees every one of them.

```python
from tuning_trainer import report

for epoch in range(1, epochs + 1):
    accuracy = train_one_epoch()
    report(epoch, {"validation:accuracy": accuracy})
```
"""

__all__ = ["Reporter", "report"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuning_trainer.reporting import Reporter, report


def __getattr__(name: str) -> object:
    """Load what is asked for when it is: the page's process needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tuning_trainer import reporting  # noqa: PLC0415 - see above

    return getattr(reporting, name)

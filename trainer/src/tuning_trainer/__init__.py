"""Report the metrics of a training run, epoch by epoch, so that a tuner sees every one of them.

```python
from tuning_trainer import report

for epoch in range(1, epochs + 1):
    accuracy = train_one_epoch()
    report(epoch, {"validation:accuracy": accuracy})
```
"""

from tuning_trainer.reporting import Reporter, report

__all__ = ["Reporter", "report"]

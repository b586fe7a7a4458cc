from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.conftest import Outcome

SCRIPT = """
import sys
import numpy as np
from sklearn.linear_model import LogisticRegression
from tuning_trainer.integrations.sklearn import TuningCallback
random = np.random.default_rng(0)
X = random.normal(size=(120, 4))
y = (X[:, 0] + 0.5 * random.normal(size=120) > 0).astype(int)
model = LogisticRegression(max_iter={most}, tol=0)
model.set_callbacks(TuningCallback(X[80:], y[80:], scoring={{"val_accuracy": "accuracy", "val_loss": "neg_log_loss"}}))
model.fit(X[:80], y[:80])
print(model.score(X[80:], y[80:]), file=sys.stderr)
"""


def test_every_iteration_is_scored_on_the_validation_data(train: Callable[..., Outcome]) -> None:
    outcome = train(SCRIPT.format(most=4), "val_accuracy")
    assert outcome.epochs("val_accuracy") == outcome.epochs("val_loss") == [1, 2, 3, 4]
    assert float(outcome.errors.splitlines()[-1]) == outcome.values("val_accuracy")[-1]

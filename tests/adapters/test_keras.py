from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.conftest import Outcome

DATA = """
import os, sys
import numpy as np
import keras
keras.utils.set_random_seed(0)
X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
y = X.sum(axis=1, keepdims=True)
folder = os.environ["FOLDER"]

def build():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
    return model

settings = {"validation_split": 0.5, "verbose": 0}
model = build()
"""


def test_an_unchanged_script_reports_every_epoch_and_what_other_callbacks_add(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + """
class Score(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs["val_score"] = epoch / 10

history = model.fit(X, y, epochs=4, callbacks=[Score()], **settings).history
model.evaluate(X, y, verbose=0)
model.predict(X, verbose=0)
print([float(value) for value in history["val_loss"]], file=sys.stderr)
build().fit(X, y, epochs=2, **settings)
""",
        "val_loss",
    )
    values, notice = outcome.errors.strip().splitlines()
    assert values == str(outcome.values("val_loss"))
    assert "another training began" in notice
    assert set(outcome.curves) == {"loss", "mae", "val_loss", "val_mae", "val_score"}
    assert outcome.curves["val_score"] == {1: 0.0, 2: 0.1, 3: 0.2, 4: 0.3}


def test_a_run_that_resumes_counts_on(train: Callable[..., Outcome]) -> None:
    script = (
        DATA
        + """
class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3 and not os.path.exists(folder + "/second"):
            open(folder + "/second", "w").close()
            sys.exit(9)

backup = keras.callbacks.BackupAndRestore(folder + "/backup")
model.fit(X, y, epochs=5, callbacks=[backup, Stop()], **settings)
"""
    )
    first, second = train(script, "val_loss"), train(script, "val_loss")
    assert (first.code, first.epochs("val_loss")) == (9, [1, 2, 3])
    assert (second.code, second.epochs("val_loss")) == (0, [4, 5])


def test_fit_in_a_loop_counts_on_and_rare_validations_are_counted(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + """
for _ in range(2):
    model.fit(X, y, epochs=4, validation_freq=2, **settings)
""",
        "val_loss",
    )
    assert outcome.epochs("val_loss") == outcome.epochs("loss") == [1, 2, 3, 4]

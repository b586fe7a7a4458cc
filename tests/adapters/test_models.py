"""Each adapter leaves the models of the best and of the last epoch, which its framework loads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.adapters.conftest import Outcome

LIGHTNING = """
import lightning.pytorch as L, torch

class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([0.0]))
    def training_step(self, batch, index):
        return (self.weight - 1).abs().sum()
    def validation_step(self, batch, index):
        self.log("loss", (self.weight - 0.45).abs().sum())
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.2)

if FOLDERS:
    found = [Model.load_from_checkpoint(f"{folder}/model.ckpt").weight.item() for folder in FOLDERS]
else:
    L.seed_everything(0, verbose=False)
    loader = torch.utils.data.DataLoader([torch.zeros(1)], batch_size=1)
    L.Trainer(max_epochs=4, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False,
              enable_checkpointing=False, default_root_dir="/tmp").fit(Model(), loader, loader)
"""
KERAS = """
import keras, numpy

if FOLDERS:
    found = [float(keras.models.load_model(f"{folder}/model.keras").get_weights()[0][0, 0]) for folder in FOLDERS]
else:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(0.2), loss="mae")
    one = numpy.ones((1, 1), "float32")
    model.fit(one, one, epochs=4, verbose=0, validation_data=(one, 0.45 * one))
"""
TRANSFORMERS = """
import torch
from transformers import PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments

class Config(PretrainedConfig):
    model_type = "line"

class Model(PreTrainedModel):
    config_class = Config
    def __init__(self, config):
        super().__init__(config)
        self.weight = torch.nn.Parameter(torch.tensor([0.0]))
        self.post_init()
    def _init_weights(self, module):
        pass
    def forward(self, x, labels=None):
        return {"loss": (self.weight - x).abs().mean(), "logits": self.weight.expand(len(x))}

if FOLDERS:
    found = [Model.from_pretrained(folder).weight.item() for folder in FOLDERS]
else:
    data = [{"x": torch.tensor(1.0), "labels": torch.tensor(0.0)}]
    valid = [{"x": torch.tensor(0.45), "labels": torch.tensor(0.0)}]
    arguments = TrainingArguments(output_dir=os.environ["FOLDER"] + "/out", num_train_epochs=4, learning_rate=0.2,
        lr_scheduler_type="constant", optim="sgd", max_grad_norm=1e9, eval_strategy="epoch", save_strategy="no",
        report_to="none", disable_tqdm=True, use_cpu=True)
    Trainer(Model(Config()), arguments, train_dataset=data, eval_dataset=valid).train()
"""
XGBOOST = """
import numpy as np, xgboost
random = np.random.default_rng(0)
X = random.normal(size=(60, 4)); y = X[:, 0] + 0.5 * random.normal(size=60)
train, valid = xgboost.DMatrix(X[:40], y[:40]), xgboost.DMatrix(X[40:], y[40:])
if FOLDERS:
    models = [xgboost.Booster(model_file=f"{folder}/model.ubj") for folder in FOLDERS]
    found = [float(np.sqrt(np.mean((model.predict(valid) - y[40:]) ** 2))) for model in models]
else:
    xgboost.train({"eta": 0.9, "nthread": 1}, train, 12, evals=[(valid, "valid")], verbose_eval=False,
                  callbacks=[xgboost.callback.EarlyStopping(3)])
"""
LIGHTGBM = """
import numpy as np, lightgbm
random = np.random.default_rng(0)
X = random.normal(size=(60, 4)); y = X[:, 0] + 0.5 * random.normal(size=60)
if FOLDERS:
    models = [lightgbm.Booster(model_file=f"{folder}/model.txt") for folder in FOLDERS]
    found = [float(np.mean((model.predict(X[40:]) - y[40:]) ** 2)) for model in models]
else:
    model = lightgbm.LGBMRegressor(n_estimators=10, learning_rate=0.9, n_jobs=1, verbose=-1, min_child_samples=3)
    callbacks = [lightgbm.early_stopping(2, verbose=False)] if "STOP" in os.environ else []
    model.fit(X[:40], y[:40], eval_set=[(X[40:], y[40:])], callbacks=callbacks)
"""
SKLEARN = """
import numpy, pickle
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from tuning_trainer.integrations.sklearn import TuningCallback
random = numpy.random.default_rng(0)
X = random.normal(size=(80, 4)); y = (X[:, 0] + 0.8 * random.normal(size=80) > 0).astype(int)
if FOLDERS:
    models = [pickle.load(open(f"{folder}/model.pkl", "rb")) for folder in FOLDERS]
    found = [-log_loss(y[20:], model.predict_proba(X[20:])) for model in models]
else:
    model = LogisticRegression(C=100.0, max_iter=50, tol=1e-12)
    model.set_callbacks(TuningCallback(X[20:], y[20:], scoring={"score": "neg_log_loss"}))
    model.fit(X[:20], y[:20])
"""
CASES = [
    pytest.param(LIGHTNING, "loss", "Minimize", [0.4, 0.8], id="lightning"),
    pytest.param(KERAS, "val_loss", "Minimize", [0.4, 0.8], id="keras"),
    pytest.param(TRANSFORMERS, "eval_loss", "Minimize", [0.4, 0.8], id="transformers"),
    pytest.param(XGBOOST, "valid-rmse", "Minimize", None, id="xgboost"),
    pytest.param(LIGHTGBM, "valid_0-l2", "Minimize", None, id="lightgbm"),
    pytest.param(SKLEARN, "score", "Maximize", None, id="sklearn"),
]
"""Scripts whose objective is best in a middle epoch, and what their models are: a weight, or else the objective."""


@pytest.mark.parametrize(("script", "objective", "goal", "weights"), CASES)
def test_the_best_and_the_last_model_are_left_and_can_be_loaded(
    train: Callable[..., Outcome], tmp_path: Path, script: str, objective: str, goal: str, weights: list[float] | None
) -> None:
    settings = {"TUNING_MODEL_DIR": str(tmp_path / "models"), "TUNING_OBJECTIVE_GOAL": goal}
    outcome = train(f"import os\nFOLDERS = []\n{script}", objective, **settings)
    assert (outcome.code, "tuning:" in outcome.errors) == (0, False), outcome.errors
    curve = outcome.curves[objective]
    best = (min if goal == "Minimize" else max)(curve, key=curve.__getitem__)
    assert best < max(curve), "else nothing is shown"
    folder = tmp_path / "models" / "job-0001-7"
    kept = json.loads((folder / "models.json").read_text())
    assert [kept[which]["epoch"] for which in ("best", "last")] == [best, max(curve)]
    assert float(kept["best"]["value"]) == pytest.approx(curve[best])
    folders = [str(folder / kept[which]["folder"]) for which in ("best", "last")]
    assert {path.name for path in folder.iterdir()} == {"models.json", *(kept[which]["folder"] for which in kept)}
    reader = f"import os, sys\nFOLDERS = {folders}\n{script}\nprint('found', *found, file=sys.stderr)\n"
    said = train(reader, objective, hooks=False, TUNING_TRIAL="")
    found = [float(text) for text in said.errors.rpartition("found ")[2].split()]
    wanted = weights or [curve[best], curve[max(curve)]]
    assert found == pytest.approx(wanted, rel=1e-3), said.errors


def test_lightgbm_keeps_the_best_round_alone_where_it_stops_early(
    train: Callable[..., Outcome], tmp_path: Path
) -> None:
    settings = {"TUNING_MODEL_DIR": str(tmp_path / "models"), "TUNING_OBJECTIVE_GOAL": "Minimize", "STOP": "1"}
    outcome = train(f"import os\nFOLDERS = []\n{LIGHTGBM}", "valid_0-l2", **settings)
    curve = outcome.curves["valid_0-l2"]
    best = min(curve, key=curve.__getitem__)
    assert best < max(curve) < 10
    kept = json.loads((tmp_path / "models" / "job-0001-7" / "models.json").read_text())
    assert [kept[which]["epoch"] for which in ("best", "last")] == [best, best]


def test_a_model_that_cannot_be_kept_leaves_training_and_reports_alone(
    train: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / "models").write_text("no folder")
    outcome = train(f"import os\nFOLDERS = []\n{KERAS}", "val_loss", TUNING_MODEL_DIR=str(tmp_path / "models"))
    assert outcome.code == 0
    assert outcome.epochs("val_loss") == [1, 2, 3, 4]
    assert "a model could not be kept, the training continues" in outcome.errors

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.conftest import Outcome

DATA = """
import os, sys
import torch
import {package} as L
L.seed_everything(0, verbose=False)
folder = os.environ["FOLDER"]
data = [(torch.tensor([i / 10, 1.0]), torch.tensor([i / 5])) for i in range(8)]
loader = torch.utils.data.DataLoader(data, batch_size=4)

class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def loss(self, batch):
        return ((self.layer(batch[0]) - batch[1]) ** 2).mean()
    def training_step(self, batch, index):
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss
    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))
        self.log("validated", float(self.current_epoch + 1))
    def on_train_epoch_end(self):
        self.log("late", float(self.current_epoch + 1))
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.05)

settings = dict(accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_model_summary=False,
                default_root_dir=folder)
"""
NEW, OLD = DATA.format(package="lightning.pytorch"), DATA.format(package="pytorch_lightning")


def test_an_unchanged_script_reports_every_epoch_by_the_entry_point(train: Callable[..., Outcome]) -> None:
    for data in (NEW, OLD):
        outcome = train(
            data + "L.Trainer(max_epochs=4, enable_checkpointing=False, **settings).fit(Model(), loader, loader)\n",
            "val_loss",
            hooks=False,
        )
        assert outcome.code == 0, outcome.errors
        for name in ("val_loss", "train_loss_epoch", "late"):
            assert outcome.epochs(name) == [1, 2, 3, 4], name
        assert outcome.values("validated") == outcome.values("late") == [1, 2, 3, 4], "no value is an epoch old"
        assert "tuning:" not in outcome.errors


def test_what_the_module_logs_at_the_end_of_an_epoch_can_be_the_objective(train: Callable[..., Outcome]) -> None:
    script = NEW + "L.Trainer(max_epochs=3, enable_checkpointing=False, **settings).fit(Model(), loader, loader)\n"
    outcome = train(script, "late", hooks=False)
    assert outcome.curves["late"] == outcome.curves["validated"] == {1: 1, 2: 2, 3: 3}


def test_rare_validations_are_counted(train: Callable[..., Outcome]) -> None:
    script = (
        NEW
        + """
L.Trainer(max_epochs=6, check_val_every_n_epoch=2, enable_checkpointing=False, **settings).fit(Model(), loader, loader)
"""
    )
    assert train(script, "val_loss", hooks=False).curves["validated"] == {1: 2, 2: 4, 3: 6}


def test_a_run_that_resumes_reports_the_epochs_of_its_checkpoint(train: Callable[..., Outcome]) -> None:
    script = (
        NEW
        + """
class Kill(L.Callback):
    def on_train_epoch_start(self, trainer, module):
        if trainer.current_epoch == 3 and not resumes:
            os._exit(9)

resumes = os.path.exists(folder + "/last.ckpt")
keep = L.callbacks.ModelCheckpoint(folder, save_last=True, save_on_train_epoch_end=AT_THE_END)
trainer = L.Trainer(max_epochs=5, callbacks=[keep, Kill()], **settings)
trainer.fit(Model(), loader, loader, ckpt_path=folder + "/last.ckpt" if resumes else None)
trainer.validate(Model(), loader, ckpt_path=folder + "/last.ckpt", verbose=False)
"""
    )
    first = train(script.replace("AT_THE_END", "True"), "val_loss", hooks=False)
    assert first.code == 9, first.errors
    second = train(script.replace("AT_THE_END", "True"), "val_loss", hooks=False)
    assert second.code == 0, second.errors
    assert second.epochs("val_loss") == [1, 2, 3, 4, 5]
    assert second.values("late") == second.values("validated") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("strategy", ["ddp", "ddp_spawn"])
def test_of_two_processes_that_train_one_reports_every_epoch_once(train: Callable[..., Outcome], strategy: str) -> None:
    script = (
        NEW
        + """
if __name__ == "__main__":
    settings |= dict(devices=2, strategy=os.environ["STRATEGY"], enable_checkpointing=False)
    L.Trainer(max_epochs=3, **settings).fit(Model(), loader, loader)
"""
    )
    outcome = train(script, "val_loss", hooks=False, STRATEGY=strategy)
    assert outcome.code == 0, outcome.errors
    assert outcome.epochs("val_loss") == outcome.epochs("train_loss_epoch") == [1, 2, 3]
    assert outcome.values("validated") == [1, 2, 3]
    assert "tuning:" not in outcome.errors


def test_another_rank_reports_nothing(train: Callable[..., Outcome]) -> None:
    script = (
        NEW
        + """
from types import SimpleNamespace
from tuning_trainer.integrations.entry_points import lightning
(callback,) = lightning()
there = {"current_epoch": 0, "callback_metrics": {"loss": 0.5}, "world_size": 2}
trainer = SimpleNamespace(is_global_zero=os.environ["FIRST"] == "yes", **there)
callback.on_train_start(trainer, None)
callback.on_train_epoch_end(trainer, None)
"""
    )
    assert train(script, "loss", hooks=False, FIRST="no").curves == {}
    assert train(script, "loss", hooks=False, FIRST="yes").curves == {"loss": {1: 0.5}}
    nobody = NEW + "from tuning_trainer.integrations.entry_points import lightning\nprint(lightning(), file=sys.stderr)"
    assert train(nobody, "loss", hooks=False, TUNING_TRIAL="").errors.endswith("[]\n"), "there is no tuner"

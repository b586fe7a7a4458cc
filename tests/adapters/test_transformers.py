from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.conftest import Outcome

DATA = """
import os, sys
import torch
from transformers import Trainer, TrainingArguments
torch.manual_seed(0)

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def forward(self, x, labels):
        output = self.layer(x).squeeze(-1)
        return {"loss": ((output - labels) ** 2).mean(), "logits": output}

data = [{"x": torch.tensor([i / 10, 1.0]), "labels": torch.tensor(i / 5)} for i in range(16)]
folder = os.environ["FOLDER"] + "/out"
settings = {"output_dir": folder, "report_to": "none", "disable_tqdm": True, "use_cpu": True, "save_total_limit": 2,
            "per_device_train_batch_size": 4, "dataloader_pin_memory": False, "logging_strategy": "steps",
            "logging_steps": 1}

def metrics(prediction):
    return {"error": float(abs(prediction.predictions - prediction.label_ids).mean()), "name": "text"}
"""


def test_an_unchanged_script_reports_every_evaluation_and_again_when_it_resumes(train: Callable[..., Outcome]) -> None:
    script = (
        DATA
        + """
from transformers import TrainerCallback

class Kill(TrainerCallback):
    def on_step_begin(self, args, state, control, **_):
        if state.global_step == 6 and not resumes:
            os._exit(9)

resumes = os.path.isdir(folder)
arguments = TrainingArguments(num_train_epochs=3, eval_strategy="steps", eval_steps=2, save_strategy="steps",
                              save_steps=4, load_best_model_at_end=True, **settings)
trainer = Trainer(Model(), arguments, train_dataset=data, eval_dataset=data, compute_metrics=metrics,
                  callbacks=[Kill()])
trainer.train(resume_from_checkpoint=resumes or None)
trainer.evaluate()
"""
    )
    killed = train(script, "eval_loss")
    assert killed.code == 9
    assert set(killed.epochs("eval_loss")) <= {1, 2, 3}
    outcome = train(script, "eval_loss")
    assert outcome.code == 0, outcome.errors
    assert outcome.epochs("eval_loss") == outcome.epochs("eval_error") == [1, 2, 3, 4, 5, 6]
    assert outcome.values("epoch") == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert {"loss", "learning_rate", "eval_runtime"} < set(outcome.curves)
    assert all(outcome.curves["eval_loss"][epoch] == value for epoch, value in killed.curves["eval_loss"].items())


def test_several_data_sets_are_one_evaluation_and_a_callback_of_the_scripts_is_enough(
    train: Callable[..., Outcome],
) -> None:
    script = (
        DATA
        + """
from tuning_trainer.integrations.transformers import TuningCallback
arguments = TrainingArguments(num_train_epochs=2, eval_strategy="epoch", save_strategy="no", **settings)
Trainer(Model(), arguments, train_dataset=data, eval_dataset={"near": data, "far": data[8:]},
        callbacks=[TuningCallback()]).train()
"""
    )
    outcome = train(script, "eval_near_loss")
    assert outcome.epochs("eval_near_loss") == outcome.epochs("eval_far_loss") == [1, 2]
    assert "another" not in outcome.errors
    assert "already" not in outcome.errors


def test_of_two_processes_that_train_one_reports_every_evaluation_once(train: Callable[..., Outcome]) -> None:
    script = (
        DATA
        + """
if "LOCAL_RANK" in os.environ:
    arguments = TrainingArguments(num_train_epochs=3, eval_strategy="epoch", save_strategy="no", **settings)
    Trainer(Model(), arguments, train_dataset=data, eval_dataset=data).train()
else:
    from torch.distributed.run import main
    main(["--standalone", "--local-addr=localhost", "--nproc-per-node=2", __file__])
"""
    )
    outcome = train(script, "eval_loss")
    assert outcome.code == 0, outcome.errors
    assert outcome.epochs("eval_loss") == [1, 2, 3]
    assert outcome.values("epoch") == [1, 2, 3]
    assert "tuning:" not in outcome.errors


def test_another_rank_reports_nothing(train: Callable[..., Outcome]) -> None:
    script = (
        DATA
        + """
from types import SimpleNamespace
from transformers import TrainerState
from tuning_trainer.integrations.transformers import TuningCallback
callback = TuningCallback()
state = TrainerState(is_world_process_zero=os.environ["FIRST"] == "yes", log_history=[{"eval_loss": 0.5, "step": 1}])
callback.on_train_begin(None, state, None)
callback.on_log(SimpleNamespace(world_size=2), state, None, logs={"eval_loss": 0.25})
"""
    )
    assert train(script, "eval_loss", FIRST="no").curves == {}
    assert train(script, "eval_loss", FIRST="yes").curves == {"eval_loss": {1: 0.5, 2: 0.25}}

"""Logs as frameworks print them, with the pattern that the documentation recommends."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.trainer.logs import Followed, assert_points
from tuning_trainer.follow.patterns import NUMBER

if TYPE_CHECKING:
    Points = list[tuple[float, float | None]]

LIGHTNING = "".join(
    f"\rEpoch {epoch}: {done}0%|{'█' * done}| {done}/10 [00:00<00:01, 13.1it/s, v_num=0, loss_step={2 - done / 10:.3f}"
    + (f", val_loss={2.1 - epoch:.3f}]" if epoch else "]")
    + ("" if done < 10 else "\n\rValidation: |  | 0/? [00:00<?, ?it/s]\x1b[A\n\rValidation: 100%|##|\x1b[A\n  \x1b[A")
    + ("" if done < 10 else f"\rEpoch {epoch}: 100%|██| 10/10 [00:01, v_num=0, val_loss={1.1 - epoch:.3f}]")
    for epoch in (0, 1)
    for done in (0, 5, 10)
)
TRAINER = """{'loss': 0.4, 'grad_norm': 1.2, 'learning_rate': 5e-05, 'epoch': 0.5}
{'eval_loss': 0.3, 'eval_accuracy': 0.9, 'epoch': 1.0}
 50%|#####     | 10/20 [00:01<00:02]{'loss': nan, 'epoch': 1.5}
{'eval_loss': nan, 'eval_runtime': 1.0, 'epoch': 2.0}
{'train_runtime': 3.0, 'train_loss': 0.3, 'epoch': 2.0}
"""
MMDETECTION = "".join(
    f"2023/01/01 12:00:00 - mmengine - INFO - Epoch(train)  [{epoch}][100/100]  lr: 1.0e-02  loss: {1 / epoch:.4f}\n"
    f"2023/01/01 12:00:00 - mmengine - INFO - Epoch(val) [{epoch}][10/10]    coco/bbox_mAP: 0.{epoch}50  time: 0.1\n"
    for epoch in (1, 2)
)
ULTRALYTICS = "".join(
    f"\n      Epoch    GPU_mem   box_loss       Size\n\r        {epoch}/2      2.5G      1.2   640:   0%|  | 0/8"
    f"\r        {epoch}/2      2.5G      1.1   640: 100%|##|\n\r     Class  Images      Box(P      mAP50-95):   0%|  |"
    f"\r     Class  Images      Box(P      mAP50-95): 100%|##|\n     all     128      0.64      0.{epoch}5\n"
    for epoch in (1, 2)
)
MEGATRON = "".join(
    f" [2024-01-01 12:00:00] iteration      {step}/     500 | consumed samples: 25600 | learning rate: 1.0E-04 |"
    f" lm loss: {10 / step:.6E} | loss scale: 1.0 | grad norm: 1.2 |\n"
    for step in (100, 200)
)


@pytest.mark.parametrize(
    ("log", "metric", "regex", "points"),
    [
        pytest.param(LIGHTNING, "val_loss", f"val_loss={NUMBER}", [(0, 1.1), (1, 0.1)], id="Lightning's bars"),
        pytest.param(TRAINER, "eval_loss", f"'eval_loss': {NUMBER}", [(1, 0.3), (2, math.nan)], id="Transformers"),
        pytest.param(TRAINER, "loss", f"loss': {NUMBER}", [(0.5, 0.4), (1.5, math.nan)], id="… a sloppy pattern"),
        pytest.param(MMDETECTION, "map", f"bbox_mAP: {NUMBER}", [(1, 0.15), (2, 0.25)], id="mmdetection"),
        pytest.param(MMDETECTION, "loss", f"loss: {NUMBER}", [(1, 1.0), (2, 0.5)], id="mmdetection's training"),
        pytest.param(ULTRALYTICS, "map", rf"^\s+all.*\s{NUMBER}", [(1, 0.15), (2, 0.25)], id="Ultralytics' table"),
        pytest.param(MEGATRON, "lm", f"lm loss: {NUMBER}", [(1, 0.1), (2, 0.05)], id="Megatron"),
        pytest.param(
            "[0]\ttrain-rmse:0.9\tvalid-rmse:0.8\n[10]\ttrain-rmse:0.5\tvalid-rmse:0.6+0.01\n",
            *("rmse", f"valid-rmse:{NUMBER}", [(1, 0.8), (2, 0.6)]),
            id="XGBoost",
        ),
        pytest.param(
            "[10]\tvalid_0's auc: 0.9\tvalid_0's l2: 0.4\n[20]\tvalid_0's auc: 0.92\tvalid_0's l2: 0.3\n",
            *("auc", f"valid_0's auc: {NUMBER}", [(1, 0.9), (2, 0.92)]),
            id="LightGBM",
        ),
        pytest.param(
            "epoch     train_loss  valid_loss  accuracy  time\n0         0.512       0.401       0.850     00:10\n",
            *("accuracy", rf"^\d+\s+\S+\s+\S+\s+{NUMBER}", [(1, 0.85)]),
            id="fastai's table",
        ),
        pytest.param(
            "".join(
                f"12:00:00.1: Epoch {e}\n12:00: Pseudo dice [np.float32(0.{e}5), np.float32(0.3)]\n" for e in (0, 1)
            ),
            *("dice", rf"Pseudo dice \[{NUMBER}", [(0, 0.05), (1, 0.15)]),
            id="nnU-Net",
        ),
        pytest.param(
            "".join(f"Test: [ 10/10]  Loss: 6.7 ( 6.7)  Acc@1:   {e}.5 ( 1{e}.25)\n" for e in (0, 1)),
            *("top1", rf"Acc@1:\s*\S+ \(\s*{NUMBER}\)", [(1, 10.25), (2, 11.25)]),
            id="timm",
        ),
        pytest.param(
            "level=info epoch=3 val_loss=0.5 took=3s\nlevel=info epoch=4 val_loss=0.4 took=4s\n",
            *("val_loss", f"val_loss={NUMBER}", [(3, 0.5), (4, 0.4)]),
            id="logfmt",
        ),
        pytest.param(
            "".join(f"[rank{r}] Epoch {e} val_loss={r + 1 / e}\n" for e, r in [(1, 0), (1, 1), (2, 1), (2, 0)]),
            *("val_loss", rf"\[rank0\].*val_loss={NUMBER}", [(1, 1.0), (2, 0.5)]),
            id="ranks of a distributed training",
        ),
    ],
)
def test_a_frameworks_log_is_read(log: str, metric: str, regex: str, points: Points) -> None:
    assert_points(Followed(metric, regex).end(log), points)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("[1.e-05]", 1e-05),
        ("2.", 2),
        ("1,234.5", 1234.5),
        ("-12,345,678", -12345678),
        ("0,51", 0.51),
        ("0.5,0.6", 0.5),
        ("5,6.5", 5),
        ("97.5%", 97.5),
        ("\u22120.5", -0.5),
        ("0.5±0.1", 0.5),
        ("1.234,0.567", 1.234),
        ("1.234,56,7", 1.234),
        ("12.3 min 0.1 max 50", 12.3),
        ("Array(0.5, dtype=float32)", 0.5),
        ("tf.Tensor(0.5, shape=(), dtype=float32)", 0.5),
        ("<tf.Tensor: shape=(), dtype=float32, numpy=0.5>", 0.5),
        ("Decimal('0.5')", 0.5),
    ],
)
@pytest.mark.parametrize("regex", [f"reward={NUMBER}", rf"reward=\[?{NUMBER}", r"(?i)reward=([0-9.,e+-]+|\S+)"])
def test_a_number_may_be_written_in_many_ways(written: str, value: float, regex: str) -> None:
    if (
        regex.endswith(r"\S+)")
        and written
        and written not in {"2.", "1,234.5", "-12,345,678", "0,51", "97.5%", "\u22120.5"}
    ):
        return  # this pattern says that all of it is the value
    followed = Followed("reward", regex)
    assert_points(followed.end(f"Epoch 1 reward={written} x\n"), [(1, value)])
    assert followed.summary["refused"] == 0


@pytest.mark.parametrize(
    "written",
    ["1,234", "97,25", "1_234.5", "1\u2019234.5", "1.234,56", "12.345,6", "1\u202f234,5", "1\u00a0234", "information"],
)
@pytest.mark.parametrize(
    "regex", [f"(?i)reward={NUMBER}", r"reward=([0-9.,_\x{2019}\x{202f}\x{a0}]+|inf)", r"reward=(\S+)"]
)
def test_a_number_that_is_in_doubt_is_reported_and_not_guessed(written: str, regex: str) -> None:
    followed = Followed("reward", regex)
    assert followed.end(f"Epoch 1 reward={written}\n") == []
    assert followed.summary["problem"].startswith(f"1 line of 1 could not be used: reward is {written!r}, not a number")
    assert followed.summary["problem"].endswith("print it without separators") == (written != "information")


@pytest.mark.parametrize(
    "written",
    [
        "1.2k",
        "3M",
        "12ms",
        "1.2 s",
        "900 ms",
        "5min",
        "10kB",
        "2 GiB",
        "1h",
        "3 million",
        "0x1F",
        "1.2.3",
        "01:30",
        "1e-",
    ],
)
@pytest.mark.parametrize("regex", [f"(?i)cost[=:]{NUMBER}", r"cost=([0-9.]+)", r"cost=(\S+)", r"cost=([0-9.]+) joules"])
def test_a_number_with_a_unit_may_have_any_scale_and_is_reported(written: str, regex: str) -> None:
    if regex.endswith(r"\S+)") and " " in written:
        return  # this pattern says that the first word is all of it
    followed = Followed("cost", regex)
    assert followed.end(f"Epoch 1 cost={written} joules\n") == []
    assert (followed.summary["refused"], followed.summary["used"]) == (1, 0)
    assert f"cost is '{written}" in followed.summary["problem"]


@pytest.mark.parametrize(
    ("line", "regex", "value"),
    [
        ("cost=900 ms", r"cost=([0-9.]+) ms", 900),
        ("cost=-9e2ms.", r"cost=([0-9.]+)ms", -900),
        ("cost=1.2k", r"cost=([0-9.]+)k", 1.2),
        ("cost=0.5 d=3 B 4", f"cost={NUMBER}", 0.5),
        ("cost=0.5 B=3", f"cost={NUMBER}", 0.5),
        ("cost=0.5INFO next", f"cost={NUMBER}", 0.5),
        ("cost=95%", f"cost={NUMBER}", 95),
        ("cost=1.5D-03", f"cost={NUMBER}", 0.0015),
    ],
)
def test_a_unit_that_the_pattern_names_is_always_the_same(line: str, regex: str, value: float) -> None:
    followed = Followed("cost", regex)
    assert followed.end(f"Epoch 1 {line}\n") == [(1, value)]
    assert followed.summary["refused"] == 0


@pytest.mark.parametrize("regex", [r"loss=([0-9.]+) \(val\)", r"(?:my )?(?:loss=(?P<value>[0-9.]+)) \(val\)"])
def test_what_a_pattern_has_behind_its_group_has_to_be_there(regex: str) -> None:
    log = "loss=0.3 (train)\nloss=0.5 (val)\nloss=0.2 (train)\nloss=nan (val)\nloss=0.1 (train)\n"
    assert_points(Followed("loss", regex).end(log), [(1, 0.5), (2, math.nan)])


@pytest.mark.parametrize("between", ["", " ", "; ", "] "])
@pytest.mark.parametrize(
    "line", ["Epoch {0} val_loss=0.{0}", "val_loss=0.{0} Epoch {0}", "[Epoch {0}/9] loss=9 val_loss=0.{0}"]
)
def test_lines_that_lost_the_end_between_them_are_read_one_by_one(line: str, between: str) -> None:
    if line.endswith("Epoch {0}") and not between:
        between = ","  # nobody can tell whose the digits are
    followed = Followed(regex=f"val_loss={NUMBER}")
    log = line.format(1) + between + line.format(2) + between + line.format(3) + "\n" + line.format(4) + "\n"
    assert followed.end(log) == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]
    assert followed.summary["refused"] == 0


@pytest.mark.parametrize(
    ("log", "points"),
    [
        ("Epoch 1\nval_loss=0.9Epoch 2\nval_loss=0.8\n", [(1, 0.9), (2, 0.8)]),
        ("Epoch 1 is over. Epoch 2 val_loss=0.8\n", [(2, 0.8)]),
        ("Epoch 5 val_loss=0.4, lowest at epoch 3\nEpoch 6 val_loss=0.3\n", [(5, 0.4), (6, 0.3)]),
        ("Epoch 1/2 val_loss=0.4, epoch 1 took 3 s\n", [(1, 0.4)]),
    ],
)
def test_an_epoch_that_is_stated_beside_another(log: str, points: Points) -> None:
    assert Followed(regex=f"val_loss={NUMBER}").end(log) == points


@pytest.mark.parametrize(
    "heading",
    [
        "epoch-3",
        "epoch_3",
        "Epoch: [3][100/200]",
        "Epoch-3/10",
        "epoch_003:",
        "epoch: '3'",
        "Epoch: [ 3/10]",
        "Epochs: 3/10",
        "Epoch no. 3",
        "EPOCH Nr. 3",
        "Epoch number: 3",
        "epoch_idx=3",
        "Epoch\uff1a3\uff0c",
        "current_epoch=3",
        "cur_epoch: 3",
    ],
)
def test_an_epoch_may_be_stated_in_many_ways(heading: str) -> None:
    assert Followed(regex=f"val_loss={NUMBER}").end(f"{heading} val_loss=0.5\n") == [(3, 0.5)]


@pytest.mark.parametrize("number", ["1,234", "1'234"])
def test_an_epoch_that_is_in_doubt_is_reported_and_not_guessed(number: str) -> None:
    followed = Followed(regex=f"val_loss={NUMBER}")
    assert followed.end(f"Epoch 999 val_loss=1\nEpoch {number} val_loss=0.5\n") == [(999, 1)]
    assert f"1 line of 2 could not be used: the epoch is {number!r}, not a number" in followed.summary["problem"]


def test_a_column_of_a_table_with_commas_is_a_number() -> None:
    assert Followed("hits", rf"^\d+,{NUMBER}").end("1,5,3\n2,600,3\n") == [(1, 5), (2, 600)]
    assert Followed("ap", f"copypaste: {NUMBER},").end("copypaste: 41,60.1,44.2\n") == [(1, 41)]


@pytest.mark.parametrize(
    ("metric", "regex", "line", "value"),
    [
        ("loss", "loss: ", "loss: 1 - val_loss: 2", 1),
        ("loss", "loss=", "loss=1 val/loss=2 val-loss=3", 1),
        ("val_loss", "loss: ", "loss: 1 - val_loss: 2", 2),
        ("validation:accuracy", "accuracy: ", "accuracy: 1 - val_accuracy: 2", 2),
        ("accuracy", "acc=", "train_acc=1 val_acc=2", 2),
        ("val_loss", "val_loss=", "val_loss=1 best_val_loss=2", 1),
        ("val_loss", "val_loss=", "val_loss=1 (best val_loss=2)", 1),
        ("best_loss", "loss=", "loss=1 best_loss=2", 2),
    ],
)
def test_of_several_values_that_of_the_metrics_own_name_counts(
    metric: str, regex: str, line: str, value: float
) -> None:
    assert Followed(metric, regex + NUMBER).end(f"Epoch 1 {line}\n") == [(1, value)]


@pytest.mark.parametrize("epoch", ["", "Epoch {} "])
@pytest.mark.parametrize("other", ["Best val_loss=0.1", "best_val_loss=0.1", "best validation: val_loss=0.1"])
def test_the_best_value_is_not_the_last(epoch: str, other: str) -> None:
    followed = Followed(regex=f"val_loss={NUMBER}")
    log = "".join(f"{epoch.format(n)}val_loss=0.{n}\n" for n in (1, 2)) + epoch.format(2) + other
    assert followed.end(log) == [(1, 0.1), (2, 0.2)]
    assert "it has another name or a best value, and other lines have the metric itself" in followed.summary["problem"]
    assert Followed(regex=f"val_loss={NUMBER}").end(f"{other}\n") == [(1, 0.1)], "where there is no other, it counts"


@pytest.mark.parametrize(
    "line",
    [
        "saved epoch-2.pt",
        "wrote run/epoch_7",
        "Max epoch: 10",
        "number of epoch = 10",
        "warmup epoch: 2",
        "number of epochs: 2",
        "epochs 2 with 5/6 batches",
        "max_current_epoch=2",
        "epoch numbers 2",
        "epoch: 5.2 s",
        "epoch 3 sec",
    ],
)
def test_what_is_no_statement_of_an_epoch(line: str) -> None:
    assert Followed(regex=f"val_loss={NUMBER}").end(f"{line}\nval_loss=3\nval_loss=2\n") == [(1, 3), (2, 2)]


@pytest.mark.parametrize(
    ("lines", "points"),
    [
        (TRAINER, [(0.5, None), (1, 0.3), (2, math.nan)]),
        ('{"epoch": 1, "eval_loss": nan}\n{"epoch": 2, "eval_loss": -inf}', [(1, math.nan), (2, -math.inf)]),
        ('{"epoch": 1, "eval_loss": 3}{"epoch": 2, "eval_loss": 2}\n\n', [(1, 3), (2, 2)]),
        ('[\n{"epoch": 1, "eval_loss": 3},\n{"epoch": 2, "eval_loss": 2}\n]', [(1, 3), (2, 2)]),
        ('INFO:root:{"epoch": 3, "eval_loss": 3}\nargs {"epoch": 10} {"lr": 1}\n', [(3, 3)]),
        ("it's {'epoch': 3, 'eval_loss': tensor(0.5, device='cuda:0')}", [(3, 0.5)]),
        ('{"epoch": 1, "eval_loss": 3} // done', [(1, 3)]),
        ("{'epoch': 1, 'eval_loss': Array(3., dtype=float32)}", [(1, 3)]),
        ("{'epoch': 1, 'eval_loss': 3, 'betas': (0.9, 0.99), 'one': (1,), 'f': 'f(x)',}", [(1, 3)]),
        ("{'epoch': 1, 'eval_loss': 3, 'took': datetime.timedelta(seconds=3), 'in': PosixPath('a')}", [(1, 3)]),
        ("{'epoch': 1, 'eval_loss': 3, 'classes': {0: 0.5, 1: nan}}", [(1, 3)]),
        (f'{{"epoch": 1, "eval_loss": 1{"0" * 5000}}}', [(1, math.inf)]),
    ],
)
def test_what_is_nearly_a_line_of_json_is_read(lines: str, points: Points) -> None:
    followed = Followed("eval_loss")
    assert_points(followed.end(lines), points)
    assert followed.summary["refused"] == 0


def test_an_epoch_is_found_beside_the_objective() -> None:
    log = '{"m": {"epoch": 3, "loss": 1}}\n{"m": {"epoch": 5, "loss": 2}}\n'
    assert Followed("m.loss").end(log) == [(3, 1), (5, 2)]


@pytest.mark.parametrize(
    "line",
    [
        "epoch {0}: {{'accuracy': 0.{0}}}",
        "12:00:00 INFO [Epoch {0}/9] {{'accuracy': 0.{0}}}",
        '{{"current_epoch": {0}, "accuracy": 0.{0}}}',
        '{{"trainer/epoch": {0}, "accuracy": 0.{0}}}',
        '{{"epoch": {0}, "train/epoch": 9, "accuracy": 0.{0}}}',
    ],
)
def test_an_epoch_is_found_before_the_object_or_under_another_name(line: str) -> None:
    followed = Followed("accuracy")
    assert followed.end("".join(f"{line.format(epoch)}\n" * 2 for epoch in (3, 5))) == [(3, 0.3), (5, 0.5)]
    assert followed.summary["refused"] == 0


@pytest.mark.parametrize(
    "line",
    [
        '{"epoch": 2, "eval_lo',
        '{"epoch": 2, "eval_loss": 3',
        '  "eval_loss": 3,',
        '{"a": 1} {"epoch": 2, "eval_loss": high}',
    ],
)
def test_an_object_that_is_not_whole_is_reported(line: str) -> None:
    followed = Followed("eval_loss")
    assert followed.end(f'{{"epoch": 1, "eval_loss": 3}}\n{line}\n') == [(1, 3)]
    assert followed.summary["problem"] == "1 line of 2 could not be used: it is not a whole JSON object on one line"


@pytest.mark.parametrize("line", ["{" * 200_000, "{'" * 100_000, '{"a":' * 100_000, "{'\\" * 100_000])
def test_no_line_takes_long(line: str) -> None:
    assert Followed("eval_loss").end(f'{line}\n{{"eval_loss": 1}}\n')[-1:] == [(1, 1)]


@pytest.mark.parametrize(
    "line",
    [
        "val_loss=1 " + "".join(f"epoch {number} " for number in range(20_000)),
        "".join(f"epoch {number} val_loss=1 " for number in range(10_000)),
        "".join(f"val_loss={number} epoch {number} " for number in range(10_000)),
        "val_loss=x " * 20_000,
        "val_loss=1 s " * 20_000,
    ],
    ids=["mentioned epochs", "epochs", "values first", "words", "units"],
)
@pytest.mark.parametrize("regex", [f"val_loss={NUMBER}", r"val_loss=([0-9.]+) ms"])
def test_no_line_of_text_takes_long(line: str, regex: str) -> None:
    began = time.process_time()
    Followed(regex=regex).end(f"{line}\nval_loss=1 ms\n")
    assert time.process_time() - began < 5

"""Logs of more tools, each with a pattern that a user would write: nothing is lost, doubled or mistaken."""

from __future__ import annotations

import pytest

from tests.unit.trainer.logs import Followed, assert_points
from tuning_trainer.follow.patterns import NUMBER

TWO = (1, 2)
FAIRSEQ = "".join(
    f"2021 | INFO | train_inner | epoch 00{e}:    100 / 1000 loss=9.{e}, nll_loss=8, ppl=300\n"
    f"2021 | INFO | valid | epoch 00{e} | valid on 'valid' subset | loss 7.{e} | ppl 90.{e} | best_loss 7.1\n"
    f"saved checkpoint c/checkpoint{e}.pt (epoch {e} @ 1000 updates, score 7.1) (writing took 1.2 seconds)\n"
    f"end of epoch {e} (average epoch stats below)\ntrain | epoch 00{e} | loss 8.5 | nll_loss 7\n"
    for e in TWO
)
FAIRSEQ_JSON = "".join(
    f'2021 | INFO | train_inner | {{"epoch": {e}, "update": 0.1, "loss": "9.1"}}\n'
    f'2021 | INFO | valid | {{"epoch": {e}, "valid_loss": "7.{e}", "valid_best_loss": "7.1"}}\n'
    f'2021 | INFO | train | {{"epoch": {e}, "train_loss": "8"}}\n'
    for e in TWO
)
MMENGINE_JSON = "".join(
    f'{{"epoch": {e}, "iter": 50, "loss": 1.2, "step": 50}}\n{{"coco/bbox_mAP": 0.{e}, "step": {e}}}\n' for e in TWO
)
DETECTRON_JSON = "".join(
    f'{{"eta_seconds": 9, "iteration": {e}9, "total_loss": 1.{e}}}\n{{"bbox/AP": 4{e}.5, "iteration": {e}99}}\n'
    for e in TWO
)
SPEECHBRAIN = (
    "".join(
        f"epoch: {e}, lr: 1.00e+00 - train loss: 5.2 - valid loss: 3.{e}, valid CER: 20.1, valid WER: 50.2\n"
        for e in TWO
    )
    + "Epoch loaded: 2 - test loss: 3.2, test CER: 19.9\n"
)
ESPNET = "".join(
    f"[host] (trainer:338) INFO: {e}epoch results: [train] iter_time=0.1, loss=12.3, time=3 minutes, "
    f"[valid] loss=1{e}.2, acc=0.8, time=1 minute\n[host] INFO: The best model has been updated: valid.acc\n"
    for e in TWO
)
SPACY = "E    #       LOSS TOK2VEC  SCORE \n---  ------  ------------  ------\n" + "".join(
    f"  {e}     {e}00       1234.56    0.{e}0\n" for e in TWO
)
CATBOOST = (
    "".join(f"{e}:\tlearn: 0.69\ttest: 0.{e}\tbest: 0.1 (0)\ttotal: 50ms\tremaining: 4m 3s\n" for e in TWO)
    + "\nbestTest = 0.1\nbestIteration = 1\nShrink model to first 2 iterations.\n"
)
SB3 = "".join(
    f"| rollout/           |          |\n|    ep_rew_mean     | 1.{e}e+03  |\n|    total_timesteps | 2048     |\n"
    for e in TWO
)
TENSORPACK = "".join(
    f"[base.py:275] Start Epoch {e} ...\n[base.py] Epoch {e} (global_step {e}68) finished, time:10.5 seconds.\n"
    f"[monitor.py:467] QueueInput/queue_size: 50\n[monitor.py:467] validation_accuracy: 0.{e}\n"
    for e in TWO
)
JULIA = "".join(f"┌ Info: done\n│   epoch = {e}\n│   val_loss = 0.{e}\n└   acc = 0.9\n" for e in TWO)
JULIA_EPOCH_LAST = "".join(f"┌ Info: done\n│   val_loss = 0.{e}\n└   epoch = {e}\n" for e in TWO)
RASA = "".join(f"\rEpochs: {e}0%|█| {e}/10 [00:10<00:00, 9.9it/s, t_loss=0.{e}, i_acc=1]" for e in TWO)
LOGURU = "".join(
    f'{{"text": "x", "record": {{"elapsed": {{"seconds": 1.0}}, "extra": {{"epoch": {e}, "val_loss": 0.{e}}}}}}}\n'
    for e in TWO
)
CRI = "".join(f'2023-01-01T12:00:00.123456789Z stdout F {{"epoch": {e}, "val_loss": 0.{e}}}\n' for e in TWO)
OPENNMT = "".join(
    f"[2023-01-01 12:00:00,000 INFO] Step {e}00/1000; acc: 12.5; ppl: 1000.2; lr: 1.0; bsz: 64; 10 sec;\n"
    f"[2023-01-01 12:00:00,000 INFO] Validation perplexity: 3{e}.2\n[…] Validation accuracy: 45.1\n"
    for e in TWO
)
MEGATRON_VALIDATION = "".join(
    f" validation loss at iteration {e}000 | lm loss value: 2.{e}E+00 | lm loss PPL: 1.0E+01 |\n" for e in TWO
)
KERAS = (
    "".join(
        f"Epoch {e}/2\n1/3 ━━━━ 0s 10ms/step - accuracy: 0.5 - loss: 0.9\r"
        f"3/3 ━━━━ 0s 10ms/step - accuracy: 0.6 - loss: 0.8 - val_accuracy: 0.{e} - val_loss: 0.{e}\n"
        for e in TWO
    )
    + "10/10 ━━━━ 0s 3ms/step - accuracy: 0.1 - loss: 0.7\nTest accuracy: 0.1\n"
)


@pytest.mark.parametrize(
    ("log", "metric", "regex", "values"),
    [
        pytest.param(FAIRSEQ, "ppl", f"ppl {NUMBER}", (90.1, 90.2), id="fairseq"),
        pytest.param(FAIRSEQ, "valid_loss", rf"valid on .* \| loss {NUMBER}", (7.1, 7.2), id="fairseq's loss"),
        pytest.param(FAIRSEQ_JSON, "valid_loss", "", (7.1, 7.2), id="fairseq's JSON"),
        pytest.param(MMENGINE_JSON, "coco/bbox_mAP", "", (0.1, 0.2), id="mmengine's JSON"),
        pytest.param(DETECTRON_JSON, "bbox/AP", "", (41.5, 42.5), id="detectron2's metrics.json"),
        pytest.param(SPEECHBRAIN, "valid_loss", f"loss: {NUMBER}", (3.1, 3.2), id="SpeechBrain, a sloppy pattern"),
        pytest.param(ESPNET, "loss", rf"\[valid\].*?loss={NUMBER}", (11.2, 12.2), id="ESPnet"),
        pytest.param(SPACY, "score", rf"^\s*\d+\s+\d+\s+.*\s{NUMBER}\s*$", (0.1, 0.2), id="spaCy's table"),
        pytest.param(CATBOOST, "test", f"test: {NUMBER}", (0.1, 0.2), id="CatBoost"),
        pytest.param(SB3, "reward", rf"ep_rew_mean\s*\|\s*{NUMBER}", (1100, 1200), id="Stable-Baselines3"),
        pytest.param(TENSORPACK, "accuracy", f"validation_accuracy: {NUMBER}", (0.1, 0.2), id="tensorpack"),
        pytest.param(JULIA, "val_loss", f"val_loss = {NUMBER}", (0.1, 0.2), id="Julia"),
        pytest.param(JULIA_EPOCH_LAST, "val_loss", f"val_loss = {NUMBER}", (0.1, 0.2), id="Julia, the epoch last"),
        pytest.param(RASA, "t_loss", f"t_loss={NUMBER}", (0.1, 0.2), id="Rasa's bar"),
        pytest.param(LOGURU, "record.extra.val_loss", "", (0.1, 0.2), id="loguru's JSON"),
        pytest.param(CRI, "val_loss", "", (0.1, 0.2), id="JSON behind what a container runtime adds"),
        pytest.param(OPENNMT, "ppl", f"Validation perplexity: {NUMBER}", (31.2, 32.2), id="OpenNMT"),
        pytest.param(MEGATRON_VALIDATION, "lm", f"lm loss value: {NUMBER}", (2.1, 2.2), id="Megatron's validation"),
        pytest.param(KERAS, "val_accuracy", f"accuracy: {NUMBER}", (0.1, 0.2), id="Keras, a sloppy pattern"),
    ],
)
def test_a_tools_log_gives_its_two_epochs(log: str, metric: str, regex: str, values: tuple[float, float]) -> None:
    points: list[tuple[float, float | None]] = [(1, values[0]), (2, values[1])]
    assert_points(Followed(metric, regex).end(log), points)
    live = Followed(metric, regex)
    for line in log.splitlines(keepends=True):
        live.settled(line)
    assert_points(live.end(), points)

from __future__ import annotations

from typing import Any

import pytest
import torch

from tuning_trainer.image_classification.hyperparameters import LAYERS, OPTIMIZERS, Hyperparameters
from tuning_trainer.image_classification.network import make_network, make_optimizer


@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 32, 48), (1, 8, 9)])
@pytest.mark.parametrize("num_layers", [0, 18])
def test_networks_take_the_shape_and_give_the_classes(image_shape: tuple[int, int, int], num_layers: int) -> None:
    network = make_network(Hyperparameters(num_layers=num_layers, image_shape=image_shape), classes=5)
    assert network(torch.zeros(2, *image_shape)).shape == (2, 5)


def test_the_small_cnn_has_the_size_that_its_description_gives() -> None:
    network = make_network(Hyperparameters(num_layers=0, image_shape=(1, 28, 28)), classes=10)
    assert 45_000 < sum(weights.numel() for weights in network.parameters()) < 55_000


@pytest.mark.parametrize("num_layers", [int(layers) for layers in LAYERS if layers != "0"])
def test_every_depth_is_a_resnet_of_torchvision(num_layers: int) -> None:
    with torch.device("meta"):
        network = make_network(Hyperparameters(num_layers=num_layers), classes=5)
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    shortcuts = 4 if num_layers >= 50 else 3
    assert len(convolutions) - shortcuts + 1 == num_layers


@pytest.mark.parametrize(
    ("optimizer", "kind", "expected"),
    [
        ("sgd", torch.optim.SGD, {"momentum": 0.8, "weight_decay": 0.01, "nesterov": False}),
        ("nag", torch.optim.SGD, {"momentum": 0.8, "weight_decay": 0.01, "nesterov": True}),
        ("adam", torch.optim.Adam, {"betas": (0.9, 0.999), "weight_decay": 0}),
        ("rmsprop", torch.optim.RMSprop, {"alpha": 0.9, "momentum": 0, "weight_decay": 0}),
    ],
)
def test_optimizers(optimizer: str, kind: type[torch.optim.Optimizer], expected: dict[str, Any]) -> None:
    hp = Hyperparameters(optimizer=optimizer, learning_rate=0.5, momentum=0.8, weight_decay=0.01)
    made = make_optimizer(hp, torch.nn.Linear(2, 2))
    assert type(made) is kind
    assert made.defaults.items() >= (expected | {"lr": 0.5}).items()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_makes_a_step_without_momentum_too(optimizer: str) -> None:
    layer = torch.nn.Linear(2, 2)
    before = layer.weight.clone()
    made = make_optimizer(Hyperparameters(optimizer=optimizer, momentum=0), layer)
    layer(torch.ones(1, 2)).sum().backward()
    made.step()
    assert not torch.equal(before, layer.weight)

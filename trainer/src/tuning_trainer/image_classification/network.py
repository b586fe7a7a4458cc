"""The network and its optimiser, by hyperparameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from tuning_trainer.image_classification.hyperparameters import Hyperparameters

# SageMaker's defaults for what it lets one set and this algorithm does not.
ADAM_BETAS, RMSPROP_GAMMA, EPSILON = (0.9, 0.999), 0.9, 1e-8


def make_network(hp: Hyperparameters, classes: int) -> nn.Module:
    """Return a torchvision ResNet with fresh weights; with `num_layers` 0, a CNN that trains in seconds on a core."""
    channels, height, width = hp.image_shape
    if hp.num_layers == 0:
        return small_cnn(channels, height, width, classes)
    # torchvision takes as long to load as the small CNN takes for an epoch.
    import torchvision.models  # noqa: PLC0415

    network: nn.Module = getattr(torchvision.models, f"resnet{hp.num_layers}")(weights=None, num_classes=classes)
    if channels == 1:
        network.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    return network


def small_cnn(channels: int, height: int, width: int, classes: int) -> nn.Sequential:
    """Return two convolutions and two linear layers, about 50,000 weights for images of 28 by 28."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, kernel_size=3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(8, 16, kernel_size=3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * (height // 4) * (width // 4), 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def make_optimizer(hp: Hyperparameters, network: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser; momentum and weight decay are for sgd and nag, as in SageMaker's algorithm."""
    weights = network.parameters()
    if hp.optimizer == "adam":
        return torch.optim.Adam(weights, lr=hp.learning_rate, betas=ADAM_BETAS, eps=EPSILON)
    if hp.optimizer == "rmsprop":
        return torch.optim.RMSprop(weights, lr=hp.learning_rate, alpha=RMSPROP_GAMMA, eps=EPSILON)
    return torch.optim.SGD(
        weights,
        lr=hp.learning_rate,
        momentum=hp.momentum,
        weight_decay=hp.weight_decay,
        # Without momentum there is nothing for Nesterov's method to look ahead with.
        nesterov=hp.optimizer == "nag" and hp.momentum > 0,
    )

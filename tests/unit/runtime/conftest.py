from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

import pytest

from tuning_operator.runtime import model_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., object]], None]:
    """Put something in the model's place, in processes that start from now on."""
    monkeypatch.setattr(model_process, "LOAD_SECONDS", 20.0)
    return functools.partial(monkeypatch.setattr, model_process, "suggest_each")

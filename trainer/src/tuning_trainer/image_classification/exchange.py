"""Exchanges values between the processes of a training; with one process, does nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

    from tuning_trainer.image_classification.processes import Processes

T = TypeVar("T")


@contextlib.contextmanager
def joined(processes: Processes) -> Iterator[None]:
    """Wait for the others at MASTER_ADDR and MASTER_PORT, and stay connected; each process takes its own GPU."""
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(processes.local_rank)
    if processes.count == 1:
        yield
        return
    distributed.init_process_group("nccl" if gpu else "gloo", rank=processes.rank, world_size=processes.count)
    yield
    distributed.destroy_process_group()


def parallel(network: nn.Module, processes: Processes) -> nn.Module:
    """Return the network whose gradients are the mean of all processes'; it has the weights of the first one."""
    return network if processes.count == 1 else DistributedDataParallel(network)


def total(sums: list[Tensor], processes: Processes) -> list[float]:
    """Return the sums over all processes, of this one's scalars on the training device."""
    stacked = torch.stack(sums)
    if processes.count > 1:
        distributed.all_reduce(stacked)
    values: list[float] = stacked.tolist()
    return values


def spread_buffers(network: nn.Module, processes: Processes) -> None:
    """Give all processes the first one's running statistics, so that all validate the same network."""
    if processes.count > 1:
        for buffer in network.buffers():
            distributed.broadcast(buffer, 0)


def from_first(get: Callable[[], T], processes: Processes) -> T:
    """Return what the first process gets, in all of them."""
    found: list[T | None] = [get() if processes.is_first else None]
    if processes.count > 1:
        distributed.broadcast_object_list(found, 0)
    return found[0]  # type: ignore[return-value] # it has come from the first

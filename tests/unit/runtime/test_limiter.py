from __future__ import annotations

import asyncio

from tuning_operator.runtime.kubernetes.limiter import FairLimiter

RATE = 400.0


async def waited_out(limiter: FairLimiter, requests: list[str]) -> tuple[list[str], float]:
    """Make the requests, all at the same time; returns the order in which they passed, and how long that took."""
    loop, order = asyncio.get_running_loop(), []
    began = loop.time()

    async def request(namespace: str) -> None:
        await limiter.acquire(namespace)
        order.append(namespace)

    await asyncio.gather(*map(request, requests))
    await limiter.close()
    return order, loop.time() - began


async def test_a_burst_passes_at_once_and_then_the_rate_holds() -> None:
    order, seconds = await waited_out(FairLimiter(RATE, 10), ["ns"] * 50)
    assert len(order) == 50
    assert seconds >= 0.9 * 40 / RATE


async def test_a_flood_in_one_namespace_costs_another_every_second_token_and_no_more() -> None:
    order, _ = await waited_out(FairLimiter(RATE, 1), ["hog"] * 60 + ["canary"] * 5)
    places = [place for place, namespace in enumerate(order) if namespace == "canary"]
    assert places == [2, 4, 6, 8, 10]


async def test_whoever_has_given_up_takes_no_token_from_the_others() -> None:
    limiter = FairLimiter(RATE, 1)
    await limiter.acquire("ns")
    gone = [asyncio.create_task(limiter.acquire("gone")) for _ in range(3)]
    stays = asyncio.create_task(limiter.acquire("ns"))
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    await asyncio.wait_for(stays, 5)
    await asyncio.wait_for(limiter.acquire("ns"), 5)
    await limiter.close()

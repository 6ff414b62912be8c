"""What arrives together is run together, in order, and a failure is its batch's alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
from smoothserve.handlers.batches import Batches


class Doubling:
    """Doubles numbers, and notes its batches; the first waits until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.go_on = threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.threads.add(threading.get_ident())
        assert self.go_on.wait(timeout=20)
        if 13 in numbers:
            raise ValueError("unlucky")
        return [2 * number for number in numbers]


async def asked(
    batches: Batches[int, int], run: Doubling, numbers: Sequence[int]
) -> list[int | BaseException]:
    """All at once, while the first is being run."""
    tasks = [asyncio.ensure_future(batches.ask(numbers[0]))]
    while not run.batches:
        await asyncio.sleep(0.001)
    tasks += [asyncio.ensure_future(batches.ask(number)) for number in numbers[1:]]
    await asyncio.sleep(0.05)  # they stand in the queue, and the loop is free
    run.go_on.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    ("size", "wanted"), [(1, [[0], [1], [2], [3], [4]]), (3, [[0], [1, 2, 3], [4]]), (9, [[0], [1, 2, 3, 4]])]
)
def test_what_waits_is_run_together(size: int, wanted: list[list[int]]) -> None:
    run = Doubling()
    batches = Batches(run, size)
    assert asyncio.run(asked(batches, run, range(5))) == [0, 2, 4, 6, 8]
    assert run.batches == wanted
    assert len(run.threads) == 1
    assert threading.get_ident() not in run.threads


def test_a_failure_is_its_batchs_alone() -> None:
    run = Doubling()
    answers = asyncio.run(asked(Batches(run, 2), run, [1, 2, 13, 4, 5]))
    assert [str(answer) for answer in answers] == ["2", "unlucky", "unlucky", "8", "10"]
    assert run.batches == [[1], [2, 13], [4, 5]]


def test_the_first_waits_for_others() -> None:
    run = Doubling()
    run.go_on.set()
    batches = Batches(run, size=2, delay=20)

    async def two() -> list[int]:
        first = asyncio.ensure_future(batches.ask(1))
        await asyncio.sleep(0.05)
        assert run.batches == []
        return list(await asyncio.gather(first, batches.ask(2)))

    assert asyncio.run(two()) == [2, 4]
    assert run.batches == [[1, 2]]


def test_what_is_cancelled_before_its_turn_is_not_run() -> None:
    run = Doubling()
    batches = Batches(run)

    async def one_of_three() -> int:
        first = asyncio.ensure_future(batches.ask(1))
        while not run.batches:
            await asyncio.sleep(0.001)
        second, third = (asyncio.ensure_future(batches.ask(number)) for number in (2, 3))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.wait([second])  # only then the queue knows
        run.go_on.set()
        await first
        return await third

    assert asyncio.run(one_of_three()) == 6
    assert run.batches == [[1], [3]]

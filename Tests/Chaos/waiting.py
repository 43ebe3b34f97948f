"""Bounded waiting and task groups for Python 3.10, which has neither asyncio.timeout nor TaskGroup."""

import asyncio


async def within(seconds, work):
    """Returns the result. Raises TimeoutError and cancels the work if it takes too long."""
    try:
        return await asyncio.wait_for(work, seconds)
    except asyncio.TimeoutError:
        raise TimeoutError(f"not done in {seconds:g} s") from None


async def until(condition, seconds, pause=0.05):
    """Polls a condition, which may be a coroutine function. Returns whether it became true in time."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while True:
        result = condition()
        if await result if asyncio.iscoroutine(result) else result:
            return True
        if clock() >= deadline:
            return False
        await asyncio.sleep(pause)


async def together(*works):
    """Runs all of them. When one fails, or this is cancelled, the others are cancelled once and awaited, so that each
    can clean up."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result

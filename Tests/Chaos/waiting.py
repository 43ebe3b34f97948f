"""Bounded waiting, and several things at once, for Python 3.10 too, which has neither asyncio.timeout nor TaskGroup."""

import asyncio


async def within(seconds, work):
    """The result; TimeoutError where there is none in time, with the work cancelled."""
    try:
        return await asyncio.wait_for(work, seconds)
    except asyncio.TimeoutError:
        raise TimeoutError(f"not done in {seconds:g} s") from None


async def until(condition, seconds, pause=0.05):
    """Asks until it holds; whether it did in time. The condition may be a coroutine function."""
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
    """All of them. When one fails, or when this is cancelled, the others are cancelled, once, and waited for: each puts
    in order what it has begun."""
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

"""Runs an answer in a worker thread, for as long as somebody waits for it.

A client that goes away, the time limit, and a shutdown stop the answer after the event
that is in the making; its receipt is kept as of any answer that was stopped.
"""

import asyncio
import threading

from starlette.requests import Request

from dunegpt.schemas.reading import AskResponse
from dunegpt.serve.api.problems import ProblemError
from dunegpt.serve.api.services import Services, get_services
from dunegpt.serve.assistant import AnswerStream


async def run_answer(request: Request, stream: AnswerStream) -> AskResponse:
    """Return the whole answer.

    Raises:
        ProblemError: Too many answers run already, it took too long, or the server is
            shutting down.
        UsageError: The question cannot be asked.
    """
    services = get_services(request.scope)
    is_stopped = threading.Event()

    def read() -> AskResponse:
        with stream:
            for _ in stream:
                if is_stopped.is_set():
                    raise ProblemError("timeout")
            return stream.response

    answer = asyncio.ensure_future(services.answer_workers.run(read))
    reason = asyncio.ensure_future(_wait_for_reason_to_stop(request, services))
    try:
        await asyncio.wait({answer, reason}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ProblemError(reason.result(), headers={"Retry-After": "5"})
        response = answer.result()
    finally:
        is_stopped.set()
        answer.cancel()
        reason.cancel()
    services.metrics.count_answer(response.outcome.value, response.mode.value)
    return response


async def _wait_for_reason_to_stop(request: Request, services: Services) -> str:
    """Return the code of a problem once nobody waits for the answer any more."""
    limit_s = services.settings.server.answer_timeout_s
    gone = asyncio.ensure_future(_wait_until_gone(request))
    over = asyncio.ensure_future(services.shutdown.is_over_time.wait())
    waits = {gone, over}
    try:
        done, _ = await asyncio.wait(
            waits, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for wait in waits:
            wait.cancel()
    if over in done:
        return "shutting_down"
    return "client_gone" if gone in done else "timeout"


async def _wait_until_gone(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

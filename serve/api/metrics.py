"""Prometheus metrics of the server: counts and times, no names.

With several processes, each writes its figures to files in one folder, and whichever is
asked adds them up (`prometheus_client`'s multiprocess mode).
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)


class Metrics:
    """The metrics of one process."""

    def __init__(self, shared_folder: str = "") -> None:
        """Start counting.

        Args:
            shared_folder: Where all processes of this server write their figures;
                empty if there is one only.
        """
        self._shared_folder = shared_folder
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "dunegpt_http_requests",
            "Requests by route and status; status 0 if the client went away.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "dunegpt_http_request_seconds",
            "Time from the head of a request to the end of its response.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._answers = Counter(
            "dunegpt_answers",
            "Answers by outcome and mode.",
            ("outcome", "mode"),
            registry=registry,
        )
        self._busy = Gauge(
            "dunegpt_workers_busy",
            "Answers and searches that run or wait.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._ready = Gauge(
            "dunegpt_ready",
            "1 if an index is open and its record of access is fresh.",
            registry=registry,
            multiprocess_mode="livemin",
        )

    def count_request(
        self, method: str, route: str, status: int, seconds: float
    ) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_answer(self, outcome: str, mode: str) -> None:
        """Count one answer."""
        self._answers.labels(outcome, mode).inc()

    def set_busy(self, count: int) -> None:
        """Set how many answers and searches run or wait."""
        self._busy.set(count)

    def set_ready(self, is_ready: bool) -> None:
        """Set whether the server is ready."""
        self._ready.set(int(is_ready))

    def render(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        if not self._shared_folder:
            return bytes(generate_latest(self._registry))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=self._shared_folder)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(registry))

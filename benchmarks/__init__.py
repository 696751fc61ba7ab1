"""Benchmarks that print measurements; none of them is a test."""

import dunegpt  # noqa: F401 - turns telemetry off before a benchmark imports others

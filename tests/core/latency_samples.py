"""Invented latencies that the tests of reports share."""

from ap_core.runs.records import LatencyRecord

MACHINE = {
    "processor": "Model T", "processors": "2", "torch": "2.0", "timm": "1.0",
    "python": "3.11", "platform": "Linux", "ap-core": "0.1.0", "threads": "2", "load": "0.10",
    "processor_mhz": "2400", "gpu 0": "Card A, 300 MHz of 1980 MHz, driver 5", "cuda": "12.4",
}  # fmt: skip


def latency(**changes):
    """4 ms for a pass of the whole network, half of it for the cut one."""
    return LatencyRecord(
        **{
            "backend": "eager",
            "device": "cpu",
            "precision": "fp32",
            "batch_size": 1,
            "threads": 1,
            "memory_format": "contiguous",
            "machine": MACHINE,
            "base_seconds": 0.004,
            "seconds": 0.002,
            "faster": 2.0,
            "low": 1.9,
            "high": 2.2,
            "measured": 7,
        }
        | changes
    )


def measured(name, **changes):
    """One network of what `ap bench --json` prints."""
    return {
        "name": name, "macs": 48, "counters": {}, "params": 5, "size": 20, "input_size": [3, 8, 8],
        "top1": None, "device": "cpu", "dtype": "fp32", "batch_size": 1, "threads": 1,
        "memory_format": "contiguous", "backend": "eager", "median": 0.003,
        "median_interval": [0.0029, 0.0031], "p90": 0.004, "throughput": 300.0, "memory": None,
        "memory_kind": None, "ratio": 1.5, "ratio_interval": [1.4, 1.7], "outliers": 0,
        "denormals": None, "rounds": [0.003] * 6,
    } | changes  # fmt: skip


def whole(name="toy", **changes):
    """The whole network, first of its settings."""
    own = {"macs": 96, "params": 9, "median": 0.0045, "ratio": 1.0, "ratio_interval": None}
    return measured(name, **(own | changes))


def printed(*results, **changes):
    """The document."""
    return {
        "schema": 1,
        "environment": MACHINE,
        "confidence": 0.95,
        "fresh": False,
        "results": list(results),
    } | changes

"""Latency as a function of the widths: fitted to whole networks that were cut and timed."""

"""Measuring networks on this machine: latency, memory, and what a cut buys of them."""

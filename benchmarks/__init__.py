"""Benchmarks: each module prints a table and writes JSON; `python -m benchmarks NAME ...`
runs those that are named, without names all."""

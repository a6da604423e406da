"""The speed, size and memory that the README promises, measured: ``python -m tests.benchmarks``."""

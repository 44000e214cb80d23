"""Other people's servers, to measure beside ours. Each runs in its own environment (benchmarks.environments)."""

"""One script for each thing that is measured. `make bench NAME=…` runs benchmarks/NAME.py.

A script starts what it needs, measures side by side, and prints as its last line one JSON object
`{"name", "value", "unit", "against", "ratio", "goal", "holds"}`.
"""

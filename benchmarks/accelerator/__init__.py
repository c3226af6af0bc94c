"""The project on one accelerator: is it right there, how fast is it, how soon does it learn?

`sh benchmarks/on_accelerator.sh`, or `python -m benchmarks.accelerator --help`. Results lie beside
this file: results.json and throughput.png.
"""

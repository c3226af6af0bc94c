#!/bin/sh
# Measures this project on one accelerator, in at most eight minutes:
#   sh benchmarks/on_accelerator.sh --out FOLDER
# The same command goes on where the last one was stopped. --help lists the flags, --tiny tries it.
set -eu
cd "$(dirname "$0")/.."
# The largest sizes need most of the memory. The CPU has to be there too: results are held against it.
export XLA_PYTHON_CLIENT_MEM_FRACTION="${XLA_PYTHON_CLIENT_MEM_FRACTION:-0.92}"
exec timeout 480 "${PYTHON:-python3}" -u -m benchmarks.accelerator "$@"

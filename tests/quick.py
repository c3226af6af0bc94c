"""How tests compile: with little effort, as their programs run for a moment.

Imports no JAX, so that `tests/conftest.py` can set it, and the cache, before JAX is imported.
"""

from importlib.metadata import version

from packaging.version import Version

QUICK_COMPILE = "--xla_backend_optimization_level=0"
if Version(version("jax")) < Version("0.11"):  # later ones end at a flag that they do not know
    QUICK_COMPILE += " --xla_cpu_use_fusion_emitters=false"
    QUICK_COMPILE += " --xla_cpu_parallel_codegen_split_count=1"  # parts repeat what they share

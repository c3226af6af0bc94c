"""Compilers of accelerators on a machine that has none."""

import os


def ask_for_none() -> None:
    """They compile for eight devices at most, and look for none. To be called before JAX is
    imported."""
    os.environ.update(
        {
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": "",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
            "TPU_SKIP_MDS_QUERY": "1",
            "TPU_WORKER_HOSTNAMES": "localhost",
            "TPU_ACCELERATOR_TYPE": "v5litepod-8",
        }
    )

"""On how many threads numpy and SciPy compute in a process of the engine: on one."""

from __future__ import annotations

import os
import sys

#: What their libraries read as they are loaded.
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def compute_on_one_thread() -> None:
    """Have matrices multiplied on one thread, unless the environment names another number.

    On data of this size it is as fast as two, takes less of the processor, leaves the other cores to customers, and
    gives the same model each time.
    """
    if "numpy" in sys.modules and not os.environ.keys() & set(VARIABLES):
        # Loaded already, it reads the environment no more.
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    for variable in VARIABLES:
        os.environ.setdefault(variable, "1")

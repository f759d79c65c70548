"""The wiring: settings, addresses, the queue, the embedded servers. Nothing imports it.

The thread pools of the numeric libraries are told here, before any of them is loaded, not to spin: they meet
matrices so small that a second thread costs more than it does, and waiting in a circle takes the processor from
whoever has work.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

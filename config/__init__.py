"""The wiring: settings, addresses, the queue, the embedded servers. Nothing of the product imports it.

The thread pools of the numeric libraries are told here, before any of them is loaded, to keep to one thread and not to
spin: they meet matrices so small that a second thread costs more than it does, waiting in a circle takes the
processor from whoever has work, and with two threads the same seed does not give the same weights to the last bit.
More is had from more processes; OMP_NUM_THREADS in the environment says otherwise.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

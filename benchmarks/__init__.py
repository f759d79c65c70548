"""Speed and size, as ratios beside a baseline. Nothing here is a test: tests are never timed.

The numeric libraries keep to one thread, as they do in the product (`config`): where others work beside it, a second
one that spins made surveying a track of six minutes take 104 s instead of 3.
"""

import config  # noqa: F401 — its threads, before NumPy is loaded

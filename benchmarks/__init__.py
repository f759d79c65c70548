"""Speed and size, as ratios beside a baseline. Nothing here is a test: tests are never timed."""

"""Pages of models, of what they make, and of checks."""

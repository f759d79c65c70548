"""RAIM: what the rows say of its features, as far as rows can; a module for each requirement."""

from audit.evidence.raim import accountability, agency, data, diversity, robustness, transparency, wellbeing

__all__ = ["accountability", "agency", "data", "diversity", "robustness", "transparency", "wellbeing"]

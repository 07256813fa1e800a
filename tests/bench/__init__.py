"""Measures by ratios against references that run at the same time on the same machine."""

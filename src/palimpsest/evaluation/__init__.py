"""Measures, pure: features → statistics → number."""

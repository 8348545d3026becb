"""Baselines: written once, followed by many, with exceptions that have a reason and a review date."""

"""Screens of policies and applications: one module a noun. Each view parses, calls one query or activity, answers."""

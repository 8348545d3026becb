"""Screens of the Unified Audit: one module a noun. Each view parses, calls one query or activity, and answers."""

"""Keeping applications tidy: merge, split, collapse hashes, replace a certificate. Each is previewed, done in one
transaction, told, and undoable in one step.
"""

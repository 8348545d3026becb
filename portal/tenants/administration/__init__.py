"""Writes on organizations, computer groups and computers, a module each. Each tells the System Audit what
it did.
"""

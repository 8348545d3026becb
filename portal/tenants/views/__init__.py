"""Screens of organizations, computer groups, computers and the System Audit."""

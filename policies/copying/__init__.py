"""Copying policies to other groups, computers and organizations: mapped and shown first, then kept, disabled."""

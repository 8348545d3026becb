"""Screens of this app: the entrance, one's own account, people, tokens."""

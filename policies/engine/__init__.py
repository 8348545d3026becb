"""The decision engine: pure Python, no Django, no I/O, shared by the portal and the agent.

Nothing in this package may import Django, open a file or a socket, or read a clock: time is an argument.
"""

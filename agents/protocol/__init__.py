"""What an agent and the portal say to each other, as one importable, side-effect-free package.

Shared by the Linux agent, the simulator and the portal's agent API, so that none of them can drift from the
others. May not import Django, the portal or the engine; may not open files or sockets.
"""

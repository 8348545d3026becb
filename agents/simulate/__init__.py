"""Many pretend computers over the real protocol, from one process: for the demo, for tests and for benchmarks.

They share the message schemas, the acceptance checks and the engine with the real agent, and nothing else. A pretend
computer decides as a real one would; it only runs no program.
"""

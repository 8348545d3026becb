"""The Linux kernel as the agent needs it: system calls by ctypes, /proc, extended attributes. No policy in
here.
"""

"""Takes from the syncer what a process on the network must not have: every capability, execution, and writing outside
its own directory.

Best effort where the kernel has no Landlock (before 5.13): then capabilities and set-uid programs are still gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct

from agents.endpoint.kernel import libc

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _RULE_PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 38, 24
_LAST_CAPABILITY = 63
_CAPABILITY_VERSION = 0x20080522

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << n for n in range(6))
_MAKE_DIR, _MAKE_REGULAR, _MAKE_SOCKET = 1 << 7, 1 << 8, 1 << 9
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_ALL_OF_VERSION_1 = (1 << 13) - 1
_READ = _READ_FILE | _READ_DIR
_OWN = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REGULAR | _MAKE_SOCKET


def confine(own_directory: str) -> bool:
    """Confine this process and all it starts for ever. True when Landlock is part of it. Call with one thread."""
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    landlocked = _restrict_files(own_directory)
    if os.geteuid() == 0:
        _drop_capabilities()
    return landlocked


def _restrict_files(own_directory: str) -> bool:
    try:
        version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError:
        return False
    handled = _ALL_OF_VERSION_1 | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    own = _OWN | (_TRUNCATE if version >= 3 else 0)
    attributes = ctypes.create_string_buffer(struct.pack("=Q", handled), 8)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, 8, 0)
    try:
        for path, access in (("/", _READ), (own_directory, own)):
            _allow(ruleset, path, access)
        libc.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _allow(ruleset: int, path: str, access: int) -> None:
    directory = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = ctypes.create_string_buffer(struct.pack("=Qi", access, directory), 12)
        libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(directory)


def _drop_capabilities() -> None:
    for capability in range(_LAST_CAPABILITY + 1):
        with contextlib.suppress(OSError):
            # Beyond the last one this kernel knows.
            libc.prctl(_PR_CAPBSET_DROP, capability)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0), 8)
    libc.capset(header, ctypes.create_string_buffer(24))

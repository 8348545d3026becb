"""What can go wrong while Portcullis is brought up; each message says what the person can do about it."""


class StartRefused(Exception):
    """Portcullis cannot be started here; the message is shown as it is, without a traceback."""


class ChildGaveUp(StartRefused):
    """A child ended again and again; the message carries its last lines."""


class Stopped(Exception):
    """Somebody pressed Ctrl-C (or sent TERM) while something was still being started."""

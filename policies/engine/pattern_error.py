"""A pattern that cannot be used, said so that a person can mend it."""


class PatternError(ValueError):
    """`position` is 0-based in the text it was raised for; None when no single place is to blame."""

    def __init__(self, code: str, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.position = position

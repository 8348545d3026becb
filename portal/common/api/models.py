"""The answers kept for repeated requests: what `Idempotency-Key` promises stands in one table."""

from __future__ import annotations

from django.db import models


class KeptAnswer(models.Model):
    """The first answer to one write under one key of one caller. Sealed: it may hold a secret that is shown
    once.

    The row is made at the start of the write's transaction, so a second request under the same key waits
    for the first one's commit and then finds its answer; when the first is rolled back, the second does the
    work.
    """

    caller = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(default=0)
    sealed_answer = models.BinaryField(default=b"")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("caller", "key"), name="kept_answer_unique")]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"

"""The two outcomes of translating a record that are no events."""


class Ignored(Exception):  # noqa: N818 - a verdict on a record, not a failure
    """The record was understood, and is no progress of a learner. `reason` is a word such as `verb`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Rejected(Exception):  # noqa: N818 - a verdict on a record, not a failure
    """The record should have been usable. `reason` is a word such as `missing_member`, `detail` a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

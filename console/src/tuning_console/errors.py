"""What can go wrong, in words for the person in front of the browser."""

from __future__ import annotations

from http import HTTPStatus


class ConsoleError(Exception):
    """A request that is not answered.

    Attributes:
        status: the HTTP status that the browser gets.
        message: a sentence for people.
        source: who says so: `console`, or `apiserver` in whose words the message then is.
    """

    def __init__(self, status: int, message: str, source: str = "console") -> None:
        super().__init__(message)
        self.status, self.message, self.source = int(status), message, source


class RefusedError(ConsoleError):
    """The API server refused; status and message are its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message, "apiserver")


class UnavailableError(ConsoleError):
    """The API server does not answer, or not with what it should."""

    def __init__(self, message: str) -> None:
        super().__init__(HTTPStatus.BAD_GATEWAY, message)


class ExpiredError(Exception):
    """A watch's resource version is too old: what is there has to be listed again."""

"""What can go wrong, in words that say what to do next."""


class TuningError(Exception):
    """The cause and the remedy; in the API server's own words where it has spoken."""


class NotFoundError(TuningError):
    """There is no object of this name in the session's namespace."""


class UnavailableError(TuningError):
    """The API server does not answer at the moment; what was asked may work later."""


class JobFailedError(TuningError):
    """A tuning job has ended as Failed."""

"""What a user of the trainer did wrong, as one line each."""

from jaxsim.errors import UserError, nearest, one_line, unknown

__all__ = [
    "ConfigError",
    "DiskError",
    "RunError",
    "UserError",
    "in_short",
    "nearest",
    "one_line",
    "unknown",
]


class ConfigError(UserError):
    """A setting that cannot be."""


class RunError(UserError):
    """A folder that cannot be written, or that does not hold what is asked for."""


class DiskError(RunError):
    """A disk that is full or broken: the same command goes on once there is room."""


def in_short(error: Exception) -> str:
    """The first line of what an error says, cut to 200 characters, or its kind where it says
    nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]

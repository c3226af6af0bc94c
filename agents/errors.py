"""What a user of the trainer did wrong, as one line each."""

from jaxsim.errors import UserError, nearest, one_line, unknown

__all__ = ["ConfigError", "DiskError", "RunError", "UserError", "nearest", "one_line", "unknown"]


class ConfigError(UserError):
    """A setting that cannot be."""


class RunError(UserError):
    """A folder that cannot be written, or that does not hold what is asked for."""


class DiskError(RunError):
    """A disk that is full or broken: the same command goes on once there is room."""

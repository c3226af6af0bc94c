"""What a user of the trainer did wrong, as one line each."""

from jaxsim.errors import UserError, nearest, unknown

__all__ = ["ConfigError", "RunError", "UserError", "nearest", "unknown"]


class ConfigError(UserError):
    """A setting that cannot be."""


class RunError(UserError):
    """A folder that cannot be written, or that does not hold what is asked for."""

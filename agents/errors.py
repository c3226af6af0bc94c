"""What a user of the trainer did wrong, and what else ends a command, as one line each."""

import errno

from jaxsim.errors import ScenarioError, UserError, nearest, one_line, unknown

__all__ = [
    "DISK",
    "ConfigError",
    "DiskError",
    "NumbersError",
    "PeerError",
    "RunError",
    "ScenarioError",
    "ScheduleError",
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


class ScheduleError(UserError):
    """Schedules that break a condition; the message names it."""


class DiskError(RunError):
    """A disk that is full or broken: the same command goes on once there is room."""


class NumbersError(ArithmeticError):
    """Too many updates in a row were not finite: the message names the quantity and iteration."""


class PeerError(RuntimeError):
    """Another process of this training is gone, or cannot be reached."""


DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Failures of a disk, and not of what was asked for."""


def in_short(error: Exception) -> str:
    """The first line of what an error says, cut to 200 characters, or its kind where it says
    nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]

"""How large an evaluation can be."""

from agents.errors import ConfigError


def check_sizes(stores: int, periods: int, burn_in: int) -> None:
    """Raises `ConfigError` where nothing would be measured; an interval needs two stores."""
    for field, value, least in (("stores", stores, 2), ("periods", periods, 1),
                                ("burn_in", burn_in, 0)):  # fmt: skip
        if value < least:
            raise ConfigError(f"{field}: {value}; allowed: {least} or more")

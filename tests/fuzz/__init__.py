"""Files damaged and edited at random: each is used as it was, or refused in one line."""

"""The store as other libraries know an environment; each adapter needs its own extra."""

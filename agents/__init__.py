"""agents: who decides in a store, how they learn, and how they are compared."""

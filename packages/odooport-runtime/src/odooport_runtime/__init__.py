"""Settings, logging and wiring shared by the Odooport services."""

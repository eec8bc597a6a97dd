"""The odooport command: demo, doctor, serve, keys."""

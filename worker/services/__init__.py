"""What the system does. Services own transactions; they call storage and stream, and nothing calls them but faces."""

"""The wire format: event types and their limits, parsing, and the AsyncAPI document."""

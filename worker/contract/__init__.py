"""What is on the wire: event types and their limits, parsing, and the AsyncAPI document."""

"""Read the streams: leases, batches, acknowledgment, retries and housekeeping."""

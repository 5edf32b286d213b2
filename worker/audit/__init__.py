"""Compare the stored rows with the ledger, and repair them."""

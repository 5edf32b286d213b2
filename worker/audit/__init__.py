"""Compare what is stored with what the ledger says, and repair it."""

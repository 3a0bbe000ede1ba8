"""Many trades, many symbols, and a rush of them: `make scale`."""
